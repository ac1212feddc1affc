/** Where the host shows a whole procfs or sysfs: `--no-pivot` would leave it in the container's reach. */
import { readFileSync } from 'node:fs'
import { parseMountinfo } from '../linux/parse-mountinfo.ts'

/** Mount points outside `rootfs`, in the order of mounting. */
export function findWholeMounts(
  rootfs: string,
  mountinfo = readFileSync('/proc/self/mountinfo', 'utf8'),
): readonly string[] {
  return parseMountinfo(mountinfo)
    .filter(({ fsType, root }) => ['proc', 'sysfs'].includes(fsType) && root === '/')
    .map(({ mountPoint }) => mountPoint)
    .filter((path) => path !== rootfs && !path.startsWith(`${rootfs}/`))
}
