/** tsrun as the default runtime of Debian's dockerd, used through the docker command; runc is the oracle. */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
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
import { type Dockerd, startDockerd } from '../support/dockerd.ts'
import { missing } from '../support/requires.ts'
import { until } from '../support/until.ts'

// What dockerd makes of flags, and what the process then sees. Several in one container: each takes a second.
const FLAGS: readonly FlagCase[] = [
  {
    title: 'less of everything',
    flags: [
      '--hostname=box',
      '--oom-score-adj=200',
      '--sysctl=net.ipv4.ip_forward=1',
      '--shm-size=1m',
      '--ulimit=nofile=100:100',
      '--cap-drop=all',
      '--cap-add=net_bind_service',
      '--security-opt=no-new-privileges',
      '--env=A=b',
      '--workdir=/var/made',
    ],
    script: `hostname; cat /proc/self/oom_score_adj /proc/sys/net/ipv4/ip_forward; ulimit -n
      df /dev/shm | awk 'END { print $2 }'; grep -E "Cap(Eff|Bnd)|NoNew|Seccomp:" /proc/self/status
      echo $A $PWD`,
    prints: `box
200
1
100
1024
CapEff:\t0000000000000400
CapBnd:\t0000000000000400
NoNewPrivs:\t1
Seccomp:\t2
b /var/made`,
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
    script: 'cat /proc/1/comm; id -u; id -G; sleep 0.01 & wait $!; grep Seccomp: /proc/self/status',
    prints: 'docker-init\n8\n8 33\nSeccomp:\t0',
  },
  {
    title: 'a read-only root, tmpfs, unmasked paths',
    flags: [
      '--read-only',
      '--tmpfs=/t:size=1m,mode=700',
      '--mount=type=tmpfs,destination=/u,tmpfs-size=1m',
      '--security-opt=systempaths=unconfined',
    ],
    script: `touch /x /var/x 2>/dev/null || echo read-only; touch /t/x /u/x && stat -c %a /t
      df /t | awk 'END { print $2 }'; stat -c %F /proc/timer_list; test -w /proc/sys && echo writable`,
    prints: 'read-only\n700\n1024\nregular empty file\nwritable',
  },
  {
    title: "the host's namespaces",
    flags: ['--network=host', '--ipc=host', '--uts=host', '--pid=host', '--cgroupns=host'],
    script: printNamespaces(SHARED_NAMESPACES),
    prints: namespacesOf('self', SHARED_NAMESPACES),
  },
]

describe.skipIf(missing('root', 'cgroup2', 'command:dockerd'))('docker', () => {
  let docker: Dockerd

  beforeAll(async () => {
    docker = await startDockerd(['--live-restore'])
  })

  afterAll(async () => {
    await docker?.[Symbol.asyncDispose]()
  })

  const inspect = (name: string, format: string): string =>
    docker.run(['inspect', '--format', format, name]).stdout.trimEnd()
  const remove = (name: string): string => docker.succeed(['rm', '--force', name])

  test('tells what tsrun is, and takes it without a flag', () => {
    expect(docker.succeed(['info', '--format={{.DefaultRuntime}}'])).toBe('tsrun')
    docker.succeed(['create', '--name=default', '--network=none', 'busybox'])
    expect(inspect('default', '{{.HostConfig.Runtime}}')).toBe('tsrun')
    remove('default')
  })

  describe.each(['tsrun', 'runc'])('with %s', (runtime) => {
    const run = (flags: readonly string[], ...command: readonly string[]) =>
      docker.run(['run', '--network=none', `--runtime=${runtime}`, ...flags, 'busybox', ...command])
    const detached = (
      name: string,
      flags: readonly string[] = [],
      script = 'exec sleep 1000',
    ): string => {
      const { stdout, stderr } = run(['--detach', '--name', name, ...flags], 'sh', '-c', script)
      expect(stderr).toBe('')
      return stdout.trimEnd()
    }

    test('passes output, input and the exit status on', () => {
      expect(run(['--rm'], 'sh', '-c', 'echo out; echo err >&2; exit 7')).toEqual({
        status: 7,
        stdout: 'out\n',
        stderr: 'err\n',
      })
      const flags = ['--rm', '--interactive', '--network=none', `--runtime=${runtime}`]
      const args = ['run', ...flags, 'busybox', 'cat']
      expect(docker.succeed(args, 'one\ntwo\n')).toBe('one\ntwo')
    })

    test('gives the process a terminal', () => {
      const flags = ['--rm', '--tty', '--network=none', `--runtime=${runtime}`]
      const script = 'tty; test -t 0 && echo yes'
      const printed = docker.onTerminal(['run', ...flags, 'busybox', 'sh', '-c', script])
      expect(printed).toMatch(/\/dev\/pts\/0\s+yes\s/)
    })

    test.each(WRONG_COMMANDS)('says why $command cannot be run', ({ command, status, says }) => {
      const result = run(['--rm'], command)
      expect(result.status).toBe(status)
      expect(result.stderr).toContain(says)
    })

    test.each(FLAGS)('run with $title', ({ flags, script, prints }) => {
      const network = flags.includes('--network=host') ? [] : ['--network=none']
      const args = ['--rm', ...network, `--runtime=${runtime}`, ...flags]
      expect(docker.succeed(['run', ...args, 'busybox', 'sh', '-c', script])).toBe(prints)
    })

    test('a device that may only be read', () => {
      expectReadOnlyDevice(docker, ['run', '--rm', '--network=none', `--runtime=${runtime}`])
    })

    test('a detached container: exec, top, pause, kill, stop, restart, cp', async () => {
      const id = detached('life', [], ANSWERS_SIGNALS)
      await until('it is up', () => docker.succeed(['logs', 'life']) === 'up')
      expectExecs(docker, 'life')
      expect(docker.succeed(['top', 'life', '-o', 'pid,args'])).toContain('sleep 1000')
      const stats = ['stats', '--no-stream', '--format={{.Name}} {{.PIDs}}', 'life']
      expect(docker.succeed(stats)).toMatch(/^life \d+$/)

      docker.succeed(['pause', 'life'])
      expect(inspect('life', '{{.State.Status}}')).toBe('paused')
      expect(docker.run(['exec', 'life', 'true']).status).not.toBe(0)
      docker.succeed(['unpause', 'life'])
      docker.succeed(['update', '--restart=no', 'life'])
      docker.succeed(['kill', '--signal=USR1', 'life'])
      await until('it has the signal', () => docker.succeed(['logs', 'life']) === 'up\nusr1')

      writeFileSync(join(docker.directory, 'copied'), 'content')
      docker.succeed(['cp', join(docker.directory, 'copied'), 'life:/tmp/copied'])
      expect(docker.succeed(['exec', 'life', 'cat', '/tmp/copied'])).toBe('content')
      docker.succeed(['cp', 'life:/tmp/copied', join(docker.directory, 'back')])
      expect(readFileSync(join(docker.directory, 'back'), 'utf8')).toBe('content')
      expect(docker.succeed(['diff', 'life'])).toContain('A /tmp/copied')

      docker.succeed(['stop', '--time=10', 'life'])
      expect(inspect('life', '{{.State.Status}} {{.State.ExitCode}}')).toBe('exited 3')
      docker.succeed(['start', 'life'])
      docker.succeed(['restart', '--time=0', 'life'])
      const waits = docker.start(['wait', 'life'])
      docker.succeed(['kill', 'life'])
      expect(await waits).toMatchObject({ status: 0, stdout: '137\n' })
      remove('life')
      const left = ['runtime-tsrun', 'runtime-runc'].map((name) =>
        join(docker.directory, 'exec', name, 'moby', id),
      )
      expect(left.filter((path) => existsSync(path))).toEqual([])
    })

    test('bind mounts and volumes', () => {
      const host = join(docker.directory, `bound-${runtime}`)
      mkdirSync(host)
      writeFileSync(join(host, 'file'), 'from the host')
      const script = 'cat /mnt/file; touch /mnt/x || true'
      const bound = run(['--rm', `--volume=${host}:/mnt:ro`], 'sh', '-c', script)
      expect(bound.stdout).toBe('from the host')
      expect(bound.stderr).toContain('Read-only file system')
      const volume = `--volume=${runtime}:/data`
      run(['--rm', volume], 'sh', '-c', 'echo kept > /data/file')
      expect(run(['--rm', volume], 'cat', '/data/file').stdout).toBe('kept\n')
    })

    test('a container in the namespaces of another', () => {
      detached('host', ['--ipc=shareable'])
      const names = ['net', 'ipc', 'pid']
      const flags = names.map((name) => `--${name === 'net' ? 'network' : name}=container:host`)
      const script = `${printNamespaces(names)}; cat /proc/1/comm`
      const args = ['run', '--rm', `--runtime=${runtime}`, ...flags, 'busybox', 'sh', '-c', script]
      const theirs = namespacesOf(inspect('host', '{{.State.Pid}}'), names)
      expect(docker.succeed(args)).toBe(`${theirs}\nsleep`)
      remove('host')
    })

    test('health checks', async () => {
      detached('health', [
        '--health-cmd=test -e /ok',
        '--health-interval=200ms',
        '--health-retries=1',
      ])
      await until(
        'it is unhealthy',
        () => inspect('health', '{{.State.Health.Status}}') === 'unhealthy',
      )
      docker.succeed(['exec', 'health', 'touch', '/ok'])
      await until(
        'it is healthy',
        () => inspect('health', '{{.State.Health.Status}}') === 'healthy',
      )
      remove('health')
    })

    test('a restart policy', async () => {
      detached('again', ['--restart=on-failure:2'], 'echo run; exit 1')
      await until(
        'it was started three times',
        () => inspect('again', '{{.State.Status}} {{.RestartCount}}') === 'exited 2',
      )
      expect(docker.succeed(['logs', 'again'])).toBe('run\nrun\nrun')
      remove('again')
    })

    test('many at once', async () => {
      const names = Array.from({ length: 6 }, (_, i) => `many-${i}`)
      const flags = ['--rm', '--network=none', `--runtime=${runtime}`]
      const results = await Promise.all(
        names.map((name) => docker.start(['run', ...flags, 'busybox', 'echo', name])),
      )
      expect(results.map(({ stdout }) => stdout.trimEnd())).toEqual(names)
    })

    test('a container that outlives the server', async () => {
      const id = detached('outlives')
      const pid = inspect('outlives', '{{.State.Pid}}')
      await docker.restart()
      expect(inspect(id, '{{.State.Status}} {{.State.Pid}}')).toBe(`running ${pid}`)
      expect(docker.succeed(['exec', 'outlives', 'echo', 'still'])).toBe('still')
      docker.succeed(['stop', '--time=0', 'outlives'])
      expect(inspect(id, '{{.State.Status}} {{.State.ExitCode}}')).toBe('exited 137')
      remove('outlives')
    })
  })

  test('builds an image, each step in a container of the default runtime', () => {
    const context = join(docker.directory, 'context')
    mkdirSync(context)
    writeFileSync(
      join(context, 'Dockerfile'),
      'FROM busybox\nRUN echo built > /file && id -u >> /file\nUSER 8\nRUN id -u > /tmp/user\n',
    )
    docker.succeed(['build', '--quiet', '--network=none', '--tag=built', context])
    const args = ['run', '--rm', '--network=none', 'built', 'cat', '/file', '/tmp/user']
    expect(docker.succeed(args)).toBe('built\n0\n8')
  })
})

describe.skipIf(missing('root', 'cgroup2', 'command:dockerd'))('docker --userns-remap', () => {
  let docker: Dockerd

  beforeAll(async () => {
    // The ids of a user that every Debian has, in this namespace alone.
    const prepare = ['subuid', 'subgid'].map(
      (file) =>
        `echo daemon:100000:65536 > /dev/shm/$$; mount --bind /dev/shm/$$ /etc/${file}; rm /dev/shm/$$`,
    )
    docker = await startDockerd(['--userns-remap=daemon:daemon'], prepare.join('\n'))
  })

  afterAll(async () => {
    await docker?.[Symbol.asyncDispose]()
  })

  test.each(['tsrun', 'runc'])('with %s', (runtime) => {
    const flags = ['--detach', '--name=mapped', '--network=none', `--runtime=${runtime}`]
    docker.succeed(['run', ...flags, '--volume=/data', '--tmpfs=/t', 'busybox', 'sleep', '1000'])
    const script =
      'cat /proc/self/uid_map; touch /data/x /t/x; stat -c %u /data/x /t/x /bin/busybox'
    expect(docker.succeed(['exec', 'mapped', 'sh', '-c', script])).toBe(
      '         0     100000      65536\n0\n0\n0',
    )
    const asUser = ['exec', '--user=8', 'mapped', 'sh', '-c', 'id -u; echo out > /dev/stdout']
    expect(docker.succeed(asUser)).toBe('8\nout')
    expect(docker.onTerminal(['exec', '--tty', 'mapped', 'tty'])).toContain('/dev/pts/0')
    const pid = docker.succeed(['inspect', '--format={{.State.Pid}}', 'mapped'])
    expect(statSync(`/proc/${pid}`).uid).toBe(100_000)
    docker.succeed(['rm', '--force', 'mapped'])
  })
})
