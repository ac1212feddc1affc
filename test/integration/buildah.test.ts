/** tsrun as the runtime of Debian's buildah, with one container for each step of a build; runc is the oracle. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildBusyboxImage } from '../../rootfs-cache/build-busybox-image.mjs'
import {
  type CallerCommands,
  type CallerResult,
  callerCommands,
} from '../support/caller-commands.ts'
import { holdMountNamespace, type MountNamespace } from '../support/mount-namespace.ts'
import { missing } from '../support/requires.ts'
import { TSRUN } from '../support/runtime.ts'

describe.skipIf(missing('root', 'cgroup2', 'command:buildah')).each([
  ['tsrun', TSRUN],
  ['runc', '/usr/sbin/runc'],
])('buildah with %s', (_, runtime) => {
  let directory: string
  let namespace: MountNamespace
  let buildah: CallerCommands
  let container: string
  const isolation = ['--isolation=oci', '--network=none', `--runtime=${runtime}`]
  const run = (flags: readonly string[], ...command: readonly string[]): CallerResult =>
    buildah.run(['run', ...isolation, ...flags, container, ...command])

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'tsrun-buildah-'))
    namespace = await holdMountNamespace()
    // What buildah asks for by itself and this machine may not be able to give: raised rlimits.
    const configuration = join(directory, 'containers.conf')
    writeFileSync(configuration, '[containers]\ndefault_ulimits = []\n')
    const roots = [`--root=${join(directory, 'root')}`, `--runroot=${join(directory, 'run')}`]
    const command = namespace.enter(['buildah', '--storage-driver=overlay', ...roots])
    const env = { ...process.env, CONTAINERS_CONF: configuration, TMPDIR: directory }
    buildah = callerCommands(command, env)
    buildah.succeed(['pull', '--quiet', `oci-archive:${await buildBusyboxImage()}`])
    container = buildah.succeed(['from', 'busybox'])
  })

  afterAll(() => {
    buildah?.run(['rm', '--all'])
    namespace?.[Symbol.dispose]()
    rmSync(directory, { recursive: true, force: true })
  })

  test('passes output and the exit status on, and nothing of its own', () => {
    expect(run([], 'sh', '-c', 'echo out; echo err >&2')).toEqual({
      status: 0,
      stdout: 'out\n',
      stderr: 'err\n',
    })
    expect(run([], 'sh', '-c', 'exit 3').status).toBe(3)
  })

  test('gives the process a terminal', () => {
    expect(buildah.onTerminal(['run', ...isolation, '--tty', container, 'tty'])).toContain(
      '/dev/pts/0',
    )
  })

  test('says which program is missing', () => {
    const { status, stderr } = run([], '/nonexistent')
    expect(status).not.toBe(0)
    expect(stderr).toContain('stat /nonexistent: no such file or directory')
  })

  test('a user, a directory, a bind mount, fewer capabilities', () => {
    const flags = ['--user=1:2', '--workingdir=/tmp', '--cap-drop=CAP_CHOWN', '--volume=/etc:/e:ro']
    const script = 'id -u; id -g; pwd; ls -d /e/passwd; grep CapBnd /proc/self/status'
    expect(run(flags, 'sh', '-c', script).stdout).toBe(
      '1\n2\n/tmp\n/e/passwd\nCapBnd:\t00000000a80425fa\n',
    )
  })

  test('builds an image', () => {
    const context = join(directory, 'context')
    mkdirSync(context)
    writeFileSync(
      join(context, 'Dockerfile'),
      `FROM docker.io/library/busybox
RUN echo built > /file && id -u >> /file
USER 8
RUN --mount=type=tmpfs,destination=/t id -u > /tmp/user
`,
    )
    buildah.succeed(['build', '--quiet', ...isolation, '--tag=built', context])
    const built = buildah.succeed(['from', 'built'])
    const args = ['run', ...isolation, built, 'cat', '/file', '/tmp/user']
    expect(buildah.succeed(args)).toBe('built\n0\n8')
  })
})
