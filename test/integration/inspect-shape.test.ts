/** `inspect` and `ps --format json` of a container, beside docker's of the same line: the keys, and the values of most. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Dockerd, startDockerd } from '../support/dockerd.ts'
import { TestEngine } from '../support/engine.ts'
import { missing } from '../support/requires.ts'

type Json = Record<string, unknown>

const PLAIN = '--network none busybox true'.split(' ')
const MUCH = [
  ...'-e A=b -l x=y --hostname h --domainname d -u 1:2 -w /w --entrypoint sh -i -t'.split(' '),
  ...'-v /tmp:/b:ro -v vol:/v -v /anonymous --tmpfs /t:size=1m --shm-size 32m'.split(' '),
  ...'--mount type=bind,src=/etc,dst=/m,readonly --read-only --init --group-add 5'.split(' '),
  ...'--ulimit nofile=10:20 --sysctl net.ipv4.ip_forward=1 --oom-score-adj 100'.split(' '),
  ...'--cap-add NET_ADMIN --cap-drop MKNOD --device /dev/null:/dev/x:rw'.split(' '),
  ...'--device-cgroup-rule=c*:*rwm --restart on-failure:3 --stop-signal SIGINT'.split(' '),
  ...'--stop-timeout 7 --network none --dns 1.1.1.1 --add-host a:1.2.3.4 --expose 80'.split(' '),
  ...'--health-cmd true --health-interval 5s --cgroup-parent /p --pid host --ipc private'.split(
    ' ',
  ),
  ...'busybox -c true'.split(' '),
].map((word) => (word.startsWith('--device-cgroup-rule') ? '--device-cgroup-rule=c *:* rwm' : word))

/** Fields that are of one container, one machine or one engine. */
const OWN_VALUES: Readonly<Record<string, string>> = {
  Id: 'a random number',
  Created: 'a moment',
  Image: 'the digest of a configuration, and dockerd imports the root anew',
  ResolvConfPath: 'a path of the engine, which docker makes at the first start',
  HostnamePath: 'as ResolvConfPath',
  HostsPath: 'as ResolvConfPath',
  LogPath: 'as ResolvConfPath',
  Driver: 'docker has two drivers for overlayfs',
  'GraphDriver.Name': 'as Driver',
  'GraphDriver.Data': 'paths of the engine',
  'Config.Hostname': 'the beginning of the id',
  'HostConfig.LogConfig': 'the log has the format of the kubelet',
  'HostConfig.MaskedPaths': 'tsrun masks what newer dockers mask, too',
  'Config.AttachStdin': 'tsrun attaches when it starts, create does not say to what',
  'Config.AttachStdout': 'as AttachStdin',
  'Config.AttachStderr': 'as AttachStdin',
  'Config.Env': 'tsrun shows the environment that the program gets, docker leaves its defaults out',
  'Config.WorkingDir': 'as Env',
  'Config.Healthcheck': 'tsrun shows what holds for what was not given',
  'HostConfig.SecurityOpt': 'docker notes label=disable for --pid host, also without SELinux',
  NetworkSettings: 'compared in the tests of networks',
  Mounts: 'compared below: their order is random in docker',
}
/** Keys that only one of them has. */
const ONLY_HERE: Readonly<Record<string, string>> = {
  'State.LimitsReached': 'which limits the container ran into: docker has no such thing',
  'State.Health': 'docker makes it at the first start',
  'Config.StopSignal': 'docker shows it when it was given, tsrun as it holds',
  OCIConfigPath: 'podman’s',
}

describe.skipIf(missing('root', 'cgroup2', 'command:dockerd'))('inspect', () => {
  const engine = new TestEngine()
  let docker: Dockerd
  beforeAll(async () => {
    docker = await startDockerd()
    await engine.loadBusybox()
    for (const [name, line] of Object.entries({ plain: PLAIN, much: MUCH })) {
      docker.succeed(['create', '--name', name, ...line])
      engine.succeed(['create', '--name', name, ...line])
    }
  })
  afterAll(async () => {
    await docker?.[Symbol.asyncDispose]()
    engine[Symbol.dispose]()
  })

  const both = (name: string) =>
    [docker.succeed(['inspect', name]), engine.succeed(['inspect', name])].map(
      (text) => JSON.parse(text)[0] as Json,
    ) as [Json, Json]

  it.each(['plain', 'much'])('has docker’s keys and values for a container with %s', (name) => {
    const differences = [...compare('', ...both(name))]
    expect(differences).toEqual([])
  })

  it('has docker’s mounts', () => {
    const [theirs, ours] = both('much').map(({ Mounts }) => (Mounts as Json[]).map(simple))
    expect(new Set(ours)).toEqual(new Set(theirs))
  })

  it('is as docker’s ps in JSON, which names may be added to', () => {
    const lines = docker.succeed(['ps', '-a', '--format', '{{json .}}']).split('\n')
    const own = engine.succeed(['ps', '-a', '--format', 'json']).split('\n')
    const row = (texts: readonly string[]) =>
      texts.map((text) => JSON.parse(text) as Json).find(({ Names }) => Names === 'plain') ?? {}
    const [theirs, ours] = [row(lines), row(own)]
    expect(Object.keys(ours)).toEqual(expect.arrayContaining(Object.keys(theirs)))
    for (const key of ['Command', 'Image', 'Labels', 'LocalVolumes', 'Networks', 'Ports', 'State'])
      expect(ours[key], key).toEqual(theirs[key])
  })
})

function* compare(path: string, theirs: unknown, ours: unknown): Generator<string> {
  if (path in OWN_VALUES) return
  if (!isMap(theirs) || !isMap(ours)) {
    const [a, b] = [JSON.stringify(theirs), JSON.stringify(ours)]
    if (a !== b) yield `${path}: docker has ${a}, tsrun ${b}`
    return
  }
  for (const key of new Set([...Object.keys(theirs), ...Object.keys(ours)])) {
    const inner = path === '' ? key : `${path}.${key}`
    if (!(key in theirs)) {
      if (!(inner in ONLY_HERE)) yield `${inner}: only tsrun has it`
    } else if (key in ours) yield* compare(inner, theirs[key], ours[key])
    else yield `${inner}: only docker has it`
  }
}

function isMap(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

// Names and paths of anonymous volumes are of each engine, "z" is how docker writes no options for a volume.
function simple({ Type, Destination, Mode, RW, Driver }: Json): string {
  return JSON.stringify({ Type, Destination, Mode: Mode === 'z' ? '' : Mode, RW, Driver })
}
