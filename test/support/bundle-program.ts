/** Makes a program of a TypeScript file, for tests that need a process of their own which runs tsrun's sources. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'

export interface Program extends Disposable {
  /** For Node. */
  readonly path: string
}

/** The program of test/support/`name`.ts. Dispose removes it. */
export async function bundleProgram(name: string): Promise<Program> {
  // In dist/, beside the native parts that it looks for.
  const path = join(import.meta.dirname, '../../dist', `${name}-${process.pid}.mjs`)
  await build({
    entryPoints: [join(import.meta.dirname, `${name}.ts`)],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    outfile: path,
    logLevel: 'error',
  })
  return { path, [Symbol.dispose]: () => rmSync(path, { force: true }) }
}
