import { describe, expect, it } from 'vitest'
import { choosePersonality } from '../../../src/cli/choose-personality.ts'

const choose = (argv: readonly string[], argv0 = 'tsrun', known: readonly string[] = ['known']) =>
  choosePersonality(argv, { argv0, ociContainerExists: (id) => known.includes(id) })

const G = ['--root', '/r', '--log', '/l', '--log-format', 'json']

describe('choosePersonality()', () => {
  // research/shim.md, A.1 and A.2: what containerd, conmon, podman, CRI-O and dockerd execute.
  it.each([
    [[...G, 'create', '--bundle', '/b', '--pid-file', '/b/init.pid', 'id']],
    [[...G, 'start', 'id']],
    [[...G, 'kill', '--all', 'id', '9']],
    [['--log-format=json', '--log', '/l', 'exec', '--process', '/p', '--detach', 'id']],
    [['create', '--bundle', '/b', '--pid-file', '/p', '--console-socket', '/s', 'id']],
    [['start', 'known']],
    [['kill', 'known', '9']],
    [['pause', 'known']],
    [['delete', '--force', 'id']],
    [['delete', 'id']],
    [['state', 'id']],
    [['resume', 'id']],
    [['features']],
    [['--debug', 'features']],
    [['checkpoint', '--help']],
    [['restore', '--image-path', '/i', '-no-subreaper', 'id']],
    [['--systemd-cgroup', 'run', 'id']],
    [['run', '--bundle', '/b', 'id']],
    [['exec', '--pid-file', '/p', '--process', '/q', '--detach', 'unknown']],
    [['update', '--resources', '-', 'id']],
    [['update', '--resources=/var/tmp/podman1', 'id']],
    [['list', '-q']],
    [['spec']],
    [[...G, 'explain', '--bundle', '/b']],
    [['ps', '--format', 'json', 'known']],
  ])('%j is for the runtime', (argv) => {
    expect(choose(argv)).toBe('oci')
  })

  it.each([
    [[]],
    [['run', 'busybox', 'true']],
    [['run', '-d', '--name', 'x', 'busybox']],
    [['run', '--rm', 'busybox', 'start', '--bundle']],
    [['exec', '-it', 'web', 'sh']],
    [['exec', 'web', 'cat', '--process']],
    [['kill', '-s', 'TERM', 'web']],
    [['kill', 'web']],
    [['ps']],
    [['ps', '-a']],
    [['create', '--name', 'x', 'busybox']],
    [['start', 'web']],
    [['start', '-a', 'web']],
    [['update', '--memory', '64m', 'web']],
    [['images']],
    [['pull', 'busybox']],
    [['--debug', 'run', 'busybox']],
    [['explain', '--bundle', '/b']],
    [['explain', 'run', 'busybox']],
    [['--help']],
  ])('%j is for the engine', (argv) => {
    expect(choose(argv)).toBe('engine')
  })

  it('takes the name of runc as a word for the runtime', () => {
    expect(choose(['run', 'x'], 'runc')).toBe('oci')
    expect(choose(['ps'], 'tsrun-oci')).toBe('oci')
  })
})
