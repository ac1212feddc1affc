/** Splits a path without leading slash: the folder is empty for a name at the top. */
export function splitPath(path: string): readonly [folder: string, base: string] {
  const slash = path.lastIndexOf('/')
  return slash === -1 ? ['', path] : [path.slice(0, slash), path.slice(slash + 1)]
}
