/** podman's checkpoints with tsrun as the runtime: podman calls criu's runtime commands, through conmon too. */
import { dirname } from 'node:path'
import { describe, expect, test } from 'vitest'
import { workingCriu } from '../support/criu.ts'
import { type Podman, startPodman } from '../support/podman.ts'
import { missing } from '../support/requires.ts'
import { installedRuntimes } from '../support/runtime.ts'

const CRIU = workingCriu()
const COUNT = 'i=0; while :; do i=$((i+1)); echo $i > /dev/shm/count; sleep 0.05; done'
const names = installedRuntimes().filter((name) => name !== 'crun')

describe.skipIf(CRIU === undefined || missing('root', 'cgroup2', 'command:podman')).each(names)(
  'podman with %s',
  (runtime) => {
    test('checkpoints a container and restores it where it was', async () => {
      // podman looks for criu too.
      process.env.PATH = `${dirname(CRIU ?? '')}:${process.env.PATH}`
      await using podman: Podman = await startPodman(runtime)
      const run = ['run', '--detach', '--network=none', '--name=c', 'busybox', 'sh', '-c', COUNT]
      podman.succeed(run)
      const count = async (): Promise<number> => {
        for (;;) {
          const value = Number(podman.run(['exec', 'c', 'cat', '/dev/shm/count']).stdout)
          if (value > 0) return value
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
      }
      const before = await count()
      podman.succeed(['container', 'checkpoint', 'c'])
      expect(podman.succeed(['inspect', '--format', '{{.State.Running}}', 'c'])).toBe('false')
      podman.succeed(['container', 'restore', 'c'])
      expect(podman.succeed(['inspect', '--format', '{{.State.Running}}', 'c'])).toBe('true')
      expect(await count()).toBeGreaterThanOrEqual(before)
      podman.succeed(['rm', '--force', '--time=0', 'c'])
    })
  },
)
