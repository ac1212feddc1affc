/** One container after the other from a warm process: what the library and the shim pay. */
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseRuntimeConfig } from '../../src/oci/validate-runtime-config.ts'
import { createContainer } from '../../src/runtime/create.ts'
import { deleteContainer } from '../../src/runtime/delete.ts'

/** Milliseconds of each of `count` full lifecycles (create, run to its end, delete) of `bundle`. */
export async function warmLifecycles(
  root: string,
  bundle: string,
  count: number,
  cgroups?: 'systemd',
): Promise<readonly number[]> {
  const config = parseRuntimeConfig(readFileSync(join(bundle, 'config.json'), 'utf8'))
  const sink = openSync('/dev/null', 'r+')
  const times: number[] = []
  try {
    for (let i = 0; i < count; i++) {
      const begin = performance.now()
      const id = `warm-${process.pid}-${i}`
      const { exited } = await createContainer({
        root,
        id,
        bundle,
        config,
        stdio: [sink, sink, sink],
        supervise: true,
        startAtOnce: true,
        standby: true,
        ...(cgroups === undefined ? {} : { cgroups }),
      })
      const status = await exited
      if (status?.exitCode !== 0) throw new Error(`the container ended with ${status?.exitCode}`)
      await deleteContainer(root, id, false)
      times.push(performance.now() - begin)
    }
  } finally {
    closeSync(sink)
  }
  return times
}
