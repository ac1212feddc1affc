/** tsrun as the runtime of Debian's podman, set up as docs/compatibility.md says; runc is the oracle. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  ANSWERS_SIGNALS,
  expectExecs,
  expectReadOnlyDevice,
  type FlagCase,
  namespacesOf,
  printNamespaces,
  SHARED_NAMESPACES,
  WRONG_COMMANDS,
} from '../support/caller-cases.ts'
import { canCrunMakeCgroups } from '../support/can-crun-make-cgroups.ts'
import { type Podman, startPodman } from '../support/podman.ts'
import { missing } from '../support/requires.ts'
import { type RuntimeName, TSRUN } from '../support/runtime.ts'
import { until } from '../support/until.ts'

const RUNTIMES: readonly RuntimeName[] = canCrunMakeCgroups()
  ? ['tsrun', 'runc', 'crun']
  : ['tsrun', 'runc']

// What podman makes of flags, and what the process then sees. Several in one container: each takes a second.
const FLAGS: readonly FlagCase[] = [
  {
    title: 'less of everything',
    flags: [
      '--hostname=box',
      '--oom-score-adj=200',
      '--umask=0077',
      '--sysctl=net.ipv4.ip_forward=1',
      '--shm-size=1m',
      '--cap-drop=all',
      '--cap-add=net_bind_service',
      '--security-opt=no-new-privileges',
    ],
    script: `hostname; cat /proc/self/oom_score_adj; umask; cat /proc/sys/net/ipv4/ip_forward
      df /dev/shm | awk 'END { print $2 }'; grep -E "Cap(Eff|Bnd)|NoNew|Seccomp:" /proc/self/status`,
    prints: `box
200
0077
1
1024
CapEff:\t0000000000000400
CapBnd:\t0000000000000400
NoNewPrivs:\t1
Seccomp:\t2`,
  },
  {
    title: 'an init process, a user with groups, no limits and no filter',
    flags: [
      '--init',
      '--user=8:8',
      '--group-add=33',
      '--pids-limit=-1',
      '--security-opt=seccomp=unconfined',
    ],
    script: `cat /proc/1/comm; id -u; id -G; sleep 0.01 & wait $!; grep Seccomp: /proc/self/status`,
    prints: 'podman-init\n8\n8 33\nSeccomp:\t0',
  },
  {
    title: 'user namespaces',
    flags: ['--uidmap=0:100000:1000', '--gidmap=0:100000:1000'],
    script: "awk '{ print $1, $2, $3 }' /proc/self/uid_map; id -u; stat -c %u /bin/busybox",
    prints: '0 100000 1000\n0\n0',
  },
  {
    title: 'a read-only root, tmpfs with and without a copy of what is below, masked paths',
    flags: [
      '--read-only',
      '--tmpfs=/etc:size=1m',
      '--mount=type=tmpfs,destination=/t,tmpfs-size=1m,tmpfs-mode=700,notmpcopyup',
      '--security-opt=mask=/proc/version',
      '--security-opt=unmask=/proc/timer_list',
    ],
    script: `touch /x /usr/x 2>/dev/null || echo read-only
      touch /tmp/x /run/x /var/tmp/x /etc/x /t/x && ls /etc/group
      stat -c %a /t; df /t | awk 'END { print $2 }'; cat /proc/version; stat -c %F /proc/timer_list`,
    prints: 'read-only\n/etc/group\n700\n1024\nregular empty file',
  },
  {
    title: "the host's namespaces",
    flags: ['--network=host', '--ipc=host', '--uts=host', '--pid=host', '--cgroupns=host'],
    script: printNamespaces(SHARED_NAMESPACES),
    prints: namespacesOf('self', SHARED_NAMESPACES),
  },
]

describe.skipIf(missing('root', 'cgroup2', 'command:podman')).each(RUNTIMES)(
  'podman with %s',
  (runtime) => {
    let podman: Podman
    const run = (flags: readonly string[], ...command: readonly string[]) =>
      podman.run(['run', '--network=none', ...flags, 'busybox', ...command])
    const remove = (name: string): string => podman.succeed(['rm', '--force', '--time=0', name])
    const inspect = (name: string, format: string): string =>
      podman.run(['inspect', '--format', format, name]).stdout.trimEnd()
    const detached = (name: string, flags: readonly string[] = [], script = 'sleep 1000'): string =>
      podman.succeed([
        'run',
        '--detach',
        '--network=none',
        '--name',
        name,
        ...flags,
        'busybox',
        'sh',
        '-c',
        script,
      ])

    beforeAll(async () => {
      podman = await startPodman(runtime)
    })

    afterAll(async () => {
      await podman?.[Symbol.asyncDispose]()
    })

    test('passes output, input and the exit status on', () => {
      expect(run(['--rm'], 'sh', '-c', 'echo out; echo err >&2; exit 7')).toEqual({
        status: 7,
        stdout: 'out\n',
        stderr: 'err\n',
      })
      const args = ['run', '--rm', '--interactive', '--network=none', 'busybox', 'cat']
      expect(podman.succeed(args, 'one\ntwo\n')).toBe('one\ntwo')
    })

    test.runIf(runtime === 'tsrun')('takes a runtime that containers.conf does not name', () => {
      // podman then gives no log: what the runtime says would be in the container's output.
      const args = [`--runtime=${TSRUN}`, 'run', '--rm', '--network=none', 'busybox', 'echo', 'hi']
      expect(podman.run(args)).toEqual({ status: 0, stdout: 'hi\n', stderr: '' })
    })

    test('gives the process a terminal', () => {
      const args = [
        'run',
        '--rm',
        '--tty',
        '--network=none',
        'busybox',
        'sh',
        '-c',
        'tty; test -t 0 && echo yes',
      ]
      expect(podman.onTerminal(args)).toContain('/dev/pts/0\r\nyes\r\n')
    })

    test.each(WRONG_COMMANDS)('says why $command cannot be run', ({ command, status, says }) => {
      const result = run(['--rm'], command)
      expect(result.status).toBe(status)
      expect(result.stderr).toContain(says)
      // podman found the message in the log; it shows what is on stderr, with its quotes escaped, otherwise.
      expect(result.stderr).not.toMatch(/level=error|"level"/)
    })

    // podman once printed nothing of a container that ended well; 140 more such runs with tsrun, 140 with runc,
    // half of them on a busy machine, lost none. A difference of ours would fail three times.
    test.each(FLAGS)('run with $title', { retry: 2 }, ({ flags, script, prints }) => {
      const network = flags.includes('--network=host') ? [] : ['--network=none']
      const args = ['run', '--rm', ...network, ...flags, 'busybox', 'sh', '-c', script]
      expect(podman.succeed(args)).toBe(prints)
    })

    test('a device that may only be read', () => {
      expectReadOnlyDevice(podman, ['run', '--rm', '--network=none'])
    })

    test('a detached container: exec, top, pause, kill, stop, restart, cp', async () => {
      const id = detached('life', [], ANSWERS_SIGNALS)
      await until('it is up', () => podman.succeed(['logs', 'life']) === 'up')
      expectExecs(podman, 'life')
      expect(podman.succeed(['top', 'life', 'args'])).toContain('sleep 1000')

      podman.succeed(['pause', 'life'])
      expect(inspect('life', '{{.State.Status}}')).toBe('paused')
      expect(podman.run(['exec', 'life', 'true']).status).not.toBe(0)
      podman.succeed(['unpause', 'life'])
      podman.succeed(['kill', '--signal=USR1', 'life'])
      await until('it has the signal', () => podman.succeed(['logs', 'life']) === 'up\nusr1')

      writeFileSync(join(podman.directory, 'copied'), 'content')
      podman.succeed(['cp', join(podman.directory, 'copied'), 'life:/tmp/copied'])
      expect(podman.succeed(['exec', 'life', 'cat', '/tmp/copied'])).toBe('content')

      podman.succeed(['stop', '--time=10', 'life'])
      expect(inspect('life', '{{.State.Status}} {{.State.ExitCode}}')).toBe('exited 3')
      podman.succeed(['start', 'life'])
      podman.succeed(['restart', '--time=0', 'life'])
      expect(inspect('life', '{{.State.Status}}')).toBe('running')
      expect(existsSync(`/run/${runtime}/${id}`)).toBe(true)
      remove('life')
      expect(existsSync(`/run/${runtime}/${id}`)).toBe(false)
      expect(podman.succeed(['ps', '--all', '--quiet'])).toBe('')
    })

    test('a container that is made first and started later', () => {
      podman.succeed(['create', '--name=later', '--network=none', 'busybox', 'echo', 'started'])
      podman.succeed(['init', 'later'])
      expect(inspect('later', '{{.State.Status}}')).toMatch(/^(created|initialized)$/)
      expect(podman.succeed(['start', '--attach', 'later'])).toBe('started')
      expect(podman.succeed(['wait', 'later'])).toBe('0')
      podman.succeed(['rm', 'later'])
    })

    test('bind mounts and volumes', () => {
      const host = join(podman.directory, 'bound')
      mkdirSync(host)
      writeFileSync(join(host, 'file'), 'from the host')
      const bound = run(
        ['--rm', `--volume=${host}:/mnt:ro`],
        'sh',
        '-c',
        'cat /mnt/file; touch /mnt/x || true',
      )
      expect(bound.stdout).toBe('from the host')
      expect(bound.stderr).toContain('Read-only file system')
      run(['--rm', '--volume=kept:/data'], 'sh', '-c', 'echo kept > /data/file')
      expect(run(['--rm', '--volume=kept:/data'], 'cat', '/data/file').stdout).toBe('kept\n')
    })

    test('a container in the namespaces of another', () => {
      detached('host')
      const names = ['net', 'ipc', 'pid']
      const flags = names.map((name) => `--${name === 'net' ? 'network' : name}=container:host`)
      const script = `${printNamespaces(names)}; cat /proc/1/comm`
      const args = ['run', '--rm', ...flags, 'busybox', 'sh', '-c', script]
      const theirs = namespacesOf(inspect('host', '{{.State.Pid}}'), names)
      expect(podman.succeed(args)).toBe(`${theirs}\nsleep`)
      remove('host')
    })

    test('a pod whose containers share its namespaces', () => {
      // A pod's own cgroup forbids every device: podman 4.3 with cgroupfs, under each runtime.
      podman.succeed(['pod', 'create', '--name=pod', '--network=none', '--share-parent=false'])
      const inPod = (): string =>
        podman.succeed([
          'run',
          '--rm',
          '--pod=pod',
          'busybox',
          'sh',
          '-c',
          'hostname; readlink /proc/self/ns/net',
        ])
      const first = inPod()
      expect(first).toMatch(/^pod\nnet:\[\d+\]$/)
      expect(inPod()).toBe(first)
      podman.succeed(['pod', 'rm', '--force', '--time=0', 'pod'])
    })

    test('health checks', () => {
      const check = ['--health-cmd=test -e /ok', '--health-interval=disable', '--health-retries=1']
      detached('health', check)
      expect(podman.run(['healthcheck', 'run', 'health']).status).toBe(1)
      podman.succeed(['exec', 'health', 'touch', '/ok'])
      expect(podman.run(['healthcheck', 'run', 'health']).status).toBe(0)
      expect(inspect('health', '{{.State.Health.Status}}')).toBe('healthy')
      remove('health')
    })

    test('a restart policy', async () => {
      detached('again', ['--restart=on-failure:2'], 'echo run; exit 1')
      await until(
        'it was started three times',
        () => inspect('again', '{{.State.Status}} {{.RestartCount}}') === 'exited 2',
      )
      expect(podman.succeed(['logs', 'again'])).toBe('run\nrun\nrun')
      podman.succeed(['rm', 'again'])
    })

    test('stats, and an update that needs a controller', () => {
      const id = detached('stats')
      expect(podman.succeed(['stats', '--no-stream', '--format={{.ID}} {{.Name}}', 'stats'])).toBe(
        `${id.slice(0, 12)} stats`,
      )
      const controllers = podman.succeed([
        'exec',
        'stats',
        'cat',
        '/sys/fs/cgroup/cgroup.controllers',
      ])
      const update = podman.run(['update', '--cpu-shares=512', 'stats'])
      if (controllers.includes('cpu')) expect(update).toMatchObject({ status: 0 })
      else expect(update.stderr).toMatch(runtime === 'tsrun' ? /no cpu controller/ : /cpu\.weight/)
      remove('stats')
    })

    test('hooks of the host', () => {
      const hooks = join(podman.directory, 'hooks')
      mkdirSync(hooks)
      const seen = join(podman.directory, 'seen')
      writeFileSync(
        join(hooks, 'hook.json'),
        JSON.stringify({
          version: '1.0.0',
          hook: { path: '/bin/sh', args: ['sh', '-c', `cat > ${seen}`] },
          when: { always: true },
          stages: ['prestart'],
        }),
      )
      podman.succeed(['--hooks-dir', hooks, 'run', '--rm', '--network=none', 'busybox', 'true'])
      expect(JSON.parse(readFileSync(seen, 'utf8'))).toMatchObject({
        id: expect.stringMatching(/^[0-9a-f]{64}$/),
      })
    })

    test('many at once', async () => {
      const names = Array.from({ length: 6 }, (_, i) => `many-${i}`)
      const results = await Promise.all(
        names.map((name) =>
          podman.start(['run', '--rm', '--network=none', 'busybox', 'echo', name]),
        ),
      )
      expect(results.map(({ stdout }) => stdout.trimEnd())).toEqual(names)
    })

    test('a container whose conmon was killed', async () => {
      const id = detached('orphan')
      const conmon = Number(inspect('orphan', '{{.State.ConmonPid}}'))
      const pid = inspect('orphan', '{{.State.Pid}}')
      process.kill(conmon, 'SIGKILL')
      await until('conmon has gone', () => !existsSync(`/proc/${conmon}/ns/pid`))
      // podman 5 needs a second call for it.
      await until('podman has forgotten it', () => {
        podman.run(['rm', '--force', '--time=0', 'orphan'])
        return podman.succeed(['ps', '--all', '--quiet']) === ''
      })
      // podman 4.3 does not tell the runtime then, whichever it is.
      execFileSync(runtime === 'tsrun' ? TSRUN : runtime, ['delete', '--force', id])
      await until('its process has gone', () => !existsSync(`/proc/${pid}/ns/pid`))
    })

    test.skipIf(runtime === 'runc')('no cgroup at all', () => {
      const { stdout, stderr } = run(
        ['--rm', '--cgroups=disabled'],
        'grep',
        '^0::',
        '/proc/self/cgroup',
      )
      expect(stderr).toBe('')
      expect(stdout).not.toContain('libpod')
    })
  },
)
