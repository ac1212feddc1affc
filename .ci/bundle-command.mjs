/**
 * The script of the command, for both builds: what its frequent verbs need in one flat piece, and the rest in
 * pieces that are loaded when a verb asks for them. Flat is what esbuild cannot do here: it wraps each module
 * into a function where some are imported dynamically, which made `create` 2 ms slower with Bun, 6 with Node.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

/** The module that everything of the engine hangs on: a script of its own, which a command of the runtime does not read. */
export const ENGINE = 'src/cli/engine/engine-cli.ts'

/** Modules that go into the first piece with all that they import. */
const FREQUENT = [
  'src/main.ts',
  'src/cli/oci/oci-cli.ts',
  'src/cli/oci/create.ts',
  'src/cli/oci/exec.ts',
  'src/cli/oci/simple-commands.ts',
  'src/seccomp/compile-filter.ts',
]

/**
 * Writes main.cjs and the pieces beside it; returns their names. `twins` gives other files for some of
 * src/native/, `banner` and `footer` stand around each piece.
 */
export async function bundleCommand({ root, folder, target, define, twins, banner, footer }) {
  const { rolldown } = await import('rolldown')
  const bundle = await rolldown({
    cwd: root,
    input: { main: 'src/main.ts' },
    platform: 'node',
    external: [/^node:/, /^bun:/],
    transform: { target, define },
    plugins: [engineApart, twinsOf(root, twins)],
    // create.ts is imported both ways; that it is in the first piece is the point.
    checks: { ineffectiveDynamicImport: false },
  })
  const frequent = FREQUENT.map((path) => join(root, path))
  const { output } = await bundle.write({
    dir: folder,
    format: 'cjs',
    // import() would need a callback of vm.Script.
    dynamicImportInCjs: false,
    entryFileNames: 'main.cjs',
    chunkFileNames: 'verb-[name].cjs',
    codeSplitting: { groups: [{ name: frequentPart(frequent), debugName: 'frequent' }] },
    minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
    comments: false,
    banner,
    footer,
  })
  for (const { fileName } of output) finish(join(folder, fileName))
  return output.map(({ fileName }) => fileName)
}

/** Puts a module into the first piece when one of `frequent` needs it before it can run. */
function frequentPart(frequent) {
  let modules
  return (id, graph) => {
    modules ??= staticallyImported(frequent, graph)
    return modules.has(id) ? 'main' : null
  }
}

function staticallyImported(entries, graph) {
  const modules = new Set()
  const visit = (id) => {
    if (modules.has(id)) return
    modules.add(id)
    for (const imported of graph.getModuleInfo(id)?.importedIds ?? []) visit(imported)
  }
  entries.forEach(visit)
  return modules
}

const engineApart = {
  name: 'engine-apart',
  resolveId(id) {
    return id.endsWith(`/${basename(ENGINE)}`) ? { id: './engine.cjs', external: true } : null
  },
}

function twinsOf(root, twins) {
  return {
    name: 'twins',
    resolveId(id) {
      const twin = twins[basename(id)]
      return twin === undefined ? null : join(root, 'src/native', twin)
    },
  }
}

// Node and Bun compile these from source at their first require: 15 ms that most commands never use.
const DEFERRED = [
  'child_process',
  'crypto',
  'fs/promises',
  'http',
  'https',
  'net',
  'os',
  'timers/promises',
  'tls',
  'tty',
  'url',
  'zlib',
]

/** Loads such modules when something of them is used, not when the file that imports them is. */
export function deferBuiltins(text) {
  const pattern = new RegExp(`=require\\(["'\`]node:(${DEFERRED.join('|')})["'\`]\\)`, 'g')
  return text.replace(pattern, '=deferred(()=>require("node:$1"))')
}

/** What {@link deferBuiltins} calls: at the head of a script. */
export const DEFER =
  'var deferred=(load)=>new Proxy({},{get:(_,key)=>load()[key],has:(_,key)=>key in load()});'

// In ASCII: V8 keeps it in one byte a character without decoding, and so the loader reads it.
function finish(file) {
  const text = deferBuiltins(readFileSync(file, 'utf8'))
  const ascii = text.replace(
    /[^\0-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  writeFileSync(file, ascii)
}
