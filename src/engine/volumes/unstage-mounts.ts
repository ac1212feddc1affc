/** The other half of stage-mounts.ts, which each container needs at its end and at its start. */
import { join } from 'node:path'
import { detachMount } from '../../native/overlay-mount.ts'
import { namesIn } from '../../util/if-there.ts'

/** Takes away what is mounted in the container's folder beside its root; nothing mounted is no error. */
export function unstageMounts(directory: string): void {
  const names = namesIn(directory).filter((name) => /^mount-\d+(?:\.image)?$/.test(name))
  for (const name of names) detachMount(join(directory, name))
}
