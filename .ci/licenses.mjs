/** Licence texts of the packages whose code ends up in dist/. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** One text of all licences; `inputs` are esbuild's input paths, `others` further packages, relative to `root`. */
export function collectLicenses(root, inputs, others = []) {
  const packages = new Set(others)
  for (const input of inputs) {
    const match = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(input)
    if (match) packages.add(match[0])
  }
  return [...packages]
    .sort()
    .map((folder) => licenseOf(join(root, folder)))
    .join('\n')
}

function licenseOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
  const text =
    file !== undefined && existsSync(join(folder, file))
      ? readFileSync(join(folder, file), 'utf8').trim()
      : ''
  return `${name} ${version}, ${license}\n\n${text}\n`
}
