/** AppArmor profiles and SELinux labels: applied where the kernel has the module, refused by name where not. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Process } from '../../src/oci/runtime-config.ts'
import { makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle, withProcess } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

const ID = uniqueId('labels')

const ENABLED = '/sys/module/apparmor/parameters/enabled'
const hasAppArmor = existsSync(ENABLED) && readFileSync(ENABLED, 'utf8').startsWith('Y')
const hasSelinux = existsSync('/sys/fs/selinux/enforce')

let bundle: Bundle
let runtime: Runtime

beforeEach(() => {
  bundle = makeBundle()
  runtime = makeRuntime()
})
afterEach(() => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

function run(process: Partial<Process>) {
  bundle.configure((config) => withProcess(config, process))
  return runtime.run(['run', '--bundle', bundle.directory, ID])
}

describe('a profile or label of a module that the kernel has not', () => {
  it.skipIf(hasAppArmor)('refuses an AppArmor profile, and takes unconfined', () => {
    const { status, stderr } = run({ args: ['true'], apparmorProfile: 'docker-default' })
    expect(status).toBe(1)
    expect(stderr).toContain('process.apparmorProfile (AppArmor is not enabled on this host)')
    const free = run({ args: ['echo', 'free'], apparmorProfile: 'unconfined' })
    expect(free).toMatchObject({ stdout: 'free\n', stderr: '' })
  })

  it.skipIf(hasSelinux)('refuses SELinux labels', () => {
    const label = 'system_u:system_r:container_t:s0'
    expect(run({ args: ['true'], selinuxLabel: label }).stderr).toContain(
      'process.selinuxLabel (SELinux is not enabled on this host)',
    )
    bundle.configure((config) => ({ ...config, linux: { ...config.linux, mountLabel: label } }))
    expect(runtime.run(['run', '--bundle', bundle.directory, ID]).stderr).toContain(
      'linux.mountLabel (SELinux is not enabled on this host)',
    )
  })
})

/** Allows everything but writing below /dev/shm. */
const PROFILE = `profile tsrun-test flags=(attach_disconnected,mediate_deleted) {
  capability, file, network, mount, umount, signal, ptrace, unix,
  deny /dev/shm/** w,
}
`

// No machine of ours but a guest with AppArmor in its kernel runs these.
describe.runIf(hasAppArmor)('an AppArmor profile', () => {
  beforeEach(() => {
    const { status, stderr } = spawnSync('apparmor_parser', ['-r'], {
      input: PROFILE,
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(`apparmor_parser: ${stderr}`)
  })

  const LOOK = 'cat /proc/self/attr/apparmor/current; touch /dev/shm/x'

  it.each([true, false])('confines the container and its execs, noNewPrivileges %s', (no) => {
    const process = { args: ['sh', '-c', LOOK], apparmorProfile: 'tsrun-test', noNewPrivileges: no }
    const { stdout, stderr } = run(process)
    expect(stdout).toBe('tsrun-test (enforce)\n')
    expect(stderr).toContain('Permission denied')
    bundle.configure((config) => withProcess(config, { ...process, args: ['sleep', '1000'] }))
    runtime.succeed(['run', '-d', '--bundle', bundle.directory, ID], { stdio: 'ignore' })
    expect(runtime.run(['exec', ID, 'sh', '-c', LOOK])).toMatchObject({
      stdout: 'tsrun-test (enforce)\n',
      stderr: expect.stringContaining('Permission denied'),
    })
    const file = join(bundle.directory, 'process.json')
    writeFileSync(
      file,
      JSON.stringify({
        cwd: '/',
        args: ['sh', '-c', LOOK],
        env: ['PATH=/bin'],
        apparmorProfile: 'unconfined',
      }),
    )
    expect(runtime.run(['exec', '--process', file, ID])).toMatchObject({
      stdout: 'unconfined\n',
      stderr: '',
    })
  })

  it('cannot be caught by files of the image in /proc (CVE-2019-16884)', () => {
    const fake = join(bundle.rootfs, 'proc/self/attr/apparmor')
    mkdirSync(fake, { recursive: true })
    writeFileSync(join(fake, 'exec'), '')
    bundle.configure((config) =>
      withProcess(
        {
          ...config,
          mounts: (config.mounts ?? []).filter(({ destination }) => destination !== '/proc'),
          linux: { ...config.linux, maskedPaths: [], readonlyPaths: [] },
        },
        { args: ['touch', '/dev/shm/x'], apparmorProfile: 'tsrun-test' },
      ),
    )
    const { stderr } = runtime.run(['run', '--bundle', bundle.directory, ID])
    expect(stderr).toContain('Permission denied')
    expect(readFileSync(join(fake, 'exec'), 'utf8')).toBe('')
  })

  it('says how to load a profile that is not there', () => {
    const { status, stderr } = run({ args: ['true'], apparmorProfile: 'tsrun-nowhere' })
    expect(status).toBe(1)
    expect(stderr).toContain(
      'process.apparmorProfile: write `/proc/self/attr/apparmor/exec`: ENOENT',
    )
    expect(stderr).toContain('apparmor_parser -r')
  })
})
