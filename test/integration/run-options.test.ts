/** Options of `tsrun run`: namespaces, environment, files of /etc, identity; what the container sees of them. */
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { TestEngine } from '../support/engine.ts'
import { missing } from '../support/requires.ts'

describe.skipIf(missing('root', 'cgroup2'))('options of tsrun run', () => {
  const engine = new TestEngine()
  beforeAll(() => engine.loadBusybox())
  afterEach(async () => expect(await engine.settled()).toEqual([]))
  afterAll(() => engine[Symbol.dispose]())

  const run = (...args: string[]) => engine.run(['run', '--rm', ...args])
  const output = (...args: string[]) => engine.succeed(['run', '--rm', ...args])
  const shell = (script: string, ...options: string[]) =>
    output(...options, 'busybox', 'sh', '-c', script).split('\n')

  it("keeps the host's namespaces", () => {
    const names = ['pid', 'ipc', 'uts', 'cgroup']
    const script = names.map((name) => `readlink /proc/self/ns/${name}`).join('; ')
    const options = ['--pid', 'host', '--ipc', 'host', '--uts', 'host', '--cgroupns', 'host']
    const own = names.map((name) => readlinkSync(`/proc/self/ns/${name}`))
    expect(shell(`${script}; hostname`, ...options)).toEqual([...own, hostname()])
    const others = shell(script)
    expect(others.filter((text) => own.includes(text))).toEqual([])
    expect(run('--uts', 'host', '-h', 'x', 'busybox', 'true').stderr).toContain('hostname "x"')
  })

  it('joins the namespaces and the memory of another container, also after its restart', () => {
    const start = ['run', '-d', '--name', 'first', '--ipc', 'shareable', '--shm-size', '1m']
    engine.succeed([...start, 'busybox', 'sleep', '1000'])
    const options = ['--pid', 'container:first', '--ipc', 'container:first']
    const script = 'cat /proc/1/cmdline; echo x >/dev/shm/f; df -k /dev/shm | grep -o " 1024 "'
    expect(shell(script, ...options)).toEqual(['sleep\u00001000\u0000 1024 '])
    expect(engine.succeed(['exec', 'first', 'cat', '/dev/shm/f'])).toBe('x')
    engine.succeed(['create', '--name', 'second', ...options, 'busybox', 'cat', '/proc/1/comm'])
    engine.succeed(['restart', '-t', '0', 'first'])
    expect(engine.succeed(['start', '-a', 'second'])).toBe('sleep')
    engine.succeed(['rm', '-f', 'first'])
    expect(engine.run(['start', '-a', 'second']).stderr).toContain('no such container: first')
    engine.succeed(['rm', 'second'])
    engine.succeed(['run', '-d', '--name', 'closed', 'busybox', 'sleep', '1000'])
    const refused = run('--ipc', 'container:closed', 'busybox', 'true')
    expect(refused.stderr).toContain('does not share its memory; hint')
    engine.succeed(['rm', '-f', 'closed'])
  })

  it('makes its files, its identity and its places', () => {
    const options = ['--umask', '0077', '--domainname', 'ex.org', '--tz', 'Etc/GMT-3', '--passwd']
    const more = ['--group-entry', 'many:x:$GID:', '-u', '4242:4343', '--no-hosts', '--no-hostname']
    const script =
      'umask; cat /proc/sys/kernel/domainname; date +%Z; tail -n1 /etc/passwd; tail -n1 /etc/group; grep -c " /etc/host" /proc/mounts'
    const files = run(...options, ...more, 'busybox', 'sh', '-c', script).stdout.split('\n')
    expect(files).toEqual([
      '0077',
      'ex.org',
      '+03',
      '4242:*:4242:4343:container user:/:/bin/sh',
      'many:x:4343:',
      '0',
      '',
    ])
    const places = ['--read-only', '--read-only-tmpfs', '--chrootdirs', '/srv', '--ipc', 'none']
    const writes =
      'touch /tmp/a /run/b && ls /srv/etc; test -e /dev/shm || echo none; touch /x 2>&1'
    // The root cannot be written before it is made read-only either.
    expect(run(...places, 'busybox', 'sh', '-c', writes).stdout.split('\n')).toEqual([
      'hostname',
      'hosts',
      'resolv.conf',
      'none',
      'touch: /x: Read-only file system',
      '',
    ])
    const user = ['--hostuser', 'www-data', '-u', 'www-data']
    expect(shell('id -un; id -u', ...user)).toEqual(['www-data', '33'])
    expect(run('--tz', '../../etc/shadow', 'busybox', 'true').stderr).toContain('--tz "../../etc')
  })

  it('makes the environment of four sources', () => {
    const labels = join(engine.directory, 'labels')
    writeFileSync(labels, '# no\na=1\nb=2\n')
    const own = ['--env-host', '--env-merge', 'P=$' + '{PATH}:/opt', '--unsetenv', 'HOSTNAME']
    const { stdout } = engine.run(['run', '--rm', ...own, '-e', 'B=2', 'busybox', 'env'], {
      env: { PATH: '/usr/bin', MINE: '1' },
    })
    // A shell in the command's start adds its own.
    const variables = stdout
      .trim()
      .split('\n')
      .filter((text) => !/^(?:PWD|OLDPWD|SHLVL|_)=/.test(text))
    expect(variables.sort()).toEqual([
      'B=2',
      'HOME=/root',
      'MINE=1',
      'P=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt',
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ])
    engine.succeed([
      'create',
      '--name',
      'labels',
      '--label-file',
      labels,
      '-l',
      'b=3',
      'busybox',
      'true',
    ])
    expect(engine.succeed(['inspect', '-f', '{{json .Config.Labels}}', 'labels'])).toBe(
      '{"a":"1","b":"3"}',
    )
    engine.succeed(['rm', 'labels'])
  })

  it('writes ids and pids, replaces names, and shows the streams that are wanted', () => {
    const [idFile, pidFile] = [join(engine.directory, 'cid'), join(engine.directory, 'pid')]
    const start = ['run', '-d', '--name', 'named', '--replace', '--pidfile', pidFile]
    const first = engine.succeed([...start, '--cidfile', idFile, 'busybox', 'sleep', '1000'])
    expect(readFileSync(idFile, 'utf8')).toBe(first)
    const format = ['inspect', '-f', '{{.State.Pid}}', 'named']
    expect(readFileSync(pidFile, 'utf8')).toBe(engine.succeed(format))
    const taken = run('--cidfile', idFile, 'busybox', 'true')
    expect([taken.status, taken.stderr]).toEqual([125, expect.stringContaining(idFile)])
    expect(engine.succeed([...start, 'busybox', 'sleep', '1000'])).not.toBe(first)
    expect(engine.succeed(['ps', '-aq']).split('\n')).toHaveLength(1)
    engine.succeed(['rm', '-f', 'named'])
    const failed = join(engine.directory, 'failed')
    expect(run('--cidfile', failed, 'busybox', 'nosuchprogram').status).toBe(127)
    expect(existsSync(failed)).toBe(false)
    const streams = run('-a', 'stderr', 'busybox', 'sh', '-c', 'echo out; echo err >&2')
    expect(streams).toMatchObject({ stdout: '', stderr: 'err\n' })
    expect(run('-d', '-a', 'stdout', 'busybox', 'true').status).toBe(125)
  })

  it('gives devices that a description of the host names', () => {
    const folder = '/var/run/cdi'
    const isOurs = !existsSync(folder)
    mkdirSync(folder, { recursive: true })
    const path = join(folder, `tsrun-test-${process.pid}.json`)
    const kind = `tsrun.test/d${process.pid}`
    const containerEdits = {
      env: ['FROM_CDI=1'],
      deviceNodes: [{ path: '/dev/described', hostPath: '/dev/zero', permissions: 'r' }],
      mounts: [{ hostPath: engine.directory, containerPath: '/described', options: ['ro'] }],
      additionalGids: [4711],
    }
    try {
      const devices = [{ name: 'one', containerEdits }]
      writeFileSync(path, JSON.stringify({ cdiVersion: '0.7.0', kind, devices }))
      const script = 'echo $FROM_CDI; head -c 3 /dev/described | wc -c; ls -d /described; id -G'
      expect(shell(script, '--device', `${kind}=one`)).toEqual([
        '1',
        '3',
        '/described',
        '0 10 4711',
      ])
      expect(run('--device', `${kind}=two`, 'busybox', 'true').stderr).toContain(`"${kind}=two"`)
    } finally {
      rmSync(path)
      if (isOurs) rmdirSync(folder)
    }
  })

  it('hides what /proc shows of others, and warns of what has no effect', () => {
    const options = ['--security-opt', 'proc-opts=hidepid=2', '--memory-swappiness', '10']
    const { stdout, stderr } = run(...options, 'busybox', 'grep', ' /proc ', '/proc/mounts')
    expect(stdout).toContain('hidepid=invisible')
    expect(stderr).toContain('warning: --memory-swappiness has no effect')
    const systemd = 'echo $container; grep -c " /run tmpfs" /proc/mounts'
    expect(shell(systemd, '--systemd', 'always')).toEqual(['tsrun', '1'])
  })
})
