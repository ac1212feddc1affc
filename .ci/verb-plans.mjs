/** Compiles the plans of whole verbs (src/runtime/verb-plans) for the launcher, before make builds that. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** Writes the plans of `architecture` into `folder`. */
export async function writeVerbPlans(root, architecture, folder) {
  const { build } = await import('esbuild')
  const script = join(folder, `verb-plans-${process.pid}.mjs`)
  mkdirSync(folder, { recursive: true })
  try {
    await build({
      absWorkingDir: root,
      entryPoints: ['src/runtime/verb-plans/compile-all.ts'],
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      outfile: script,
      logLevel: 'warning',
    })
    const { encodeVerbPlans } = await import(pathToFileURL(script).href)
    for (const [name, image] of encodeVerbPlans(architecture))
      writeFileSync(join(folder, name), image)
  } finally {
    rmSync(script, { force: true })
  }
}
