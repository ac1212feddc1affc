/** Parses /proc/<pid>/mountinfo (proc_pid_mountinfo(5)) into records. */

export interface MountinfoEntry {
  readonly mountId: number
  readonly parentId: number
  readonly major: number
  readonly minor: number
  /** The directory of the file system that is the root of this mount. */
  readonly root: string
  readonly mountPoint: string
  /** Options of the mount: `ro`, `nosuid`, `relatime`. */
  readonly options: readonly string[]
  /** Peer group of a shared mount (`shared:N`). */
  readonly sharedGroup?: number
  /** Peer group that this mount receives from (`master:N`). */
  readonly masterGroup?: number
  readonly unbindable: boolean
  readonly fsType: string
  readonly source: string
  /** Options of the file system: `rw`, `size=65536k`. */
  readonly superOptions: readonly string[]
}

/**
 * Every well-formed line of `text`, in order. A line that does not have the documented form is
 * skipped: the file grows fields between kernel versions and one odd line must not hide the rest.
 */
export function parseMountinfo(text: string): readonly MountinfoEntry[] {
  const entries: MountinfoEntry[] = []
  for (const line of text.split('\n')) {
    const entry = parseLine(line)
    if (entry !== undefined) entries.push(entry)
  }
  return entries
}

/** Undoes the kernel's octal escapes of space, tab, newline, `#` and backslash (seq_path). */
export function unescapeMountPath(text: string): string {
  if (!text.includes('\\')) return text
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  )
}

function parseLine(line: string): MountinfoEntry | undefined {
  const fields = line.split(' ')
  // Optional fields have no fixed count: a lone hyphen ends them.
  const end = fields.indexOf('-', 6)
  const [mountId, parentId, device, root, mountPoint, options] = fields
  const fsType = fields[end + 1]
  if (end === -1 || device === undefined || fsType === undefined || fsType === '') return undefined
  if (root === undefined || mountPoint === undefined || options === undefined) return undefined
  const numbers = /^(\d+):(\d+)$/.exec(device)
  if (numbers === null || !isDecimal(mountId) || !isDecimal(parentId)) return undefined
  return {
    mountId: Number(mountId),
    parentId: Number(parentId),
    major: Number(numbers[1]),
    minor: Number(numbers[2]),
    root: unescapeMountPath(root),
    mountPoint: unescapeMountPath(mountPoint),
    options: options.split(','),
    ...parseOptionalFields(fields.slice(6, end)),
    fsType: unescapeMountPath(fsType),
    source: unescapeMountPath(fields[end + 2] ?? ''),
    superOptions: (fields[end + 3] ?? '').split(',').filter((option) => option !== ''),
  }
}

function parseOptionalFields(
  fields: readonly string[],
): Pick<MountinfoEntry, 'sharedGroup' | 'masterGroup' | 'unbindable'> {
  const shared = groupOf(fields, 'shared:')
  const master = groupOf(fields, 'master:')
  return {
    ...(shared === undefined ? {} : { sharedGroup: shared }),
    ...(master === undefined ? {} : { masterGroup: master }),
    unbindable: fields.includes('unbindable'),
  }
}

function groupOf(fields: readonly string[], prefix: string): number | undefined {
  const field = fields.find((candidate) => candidate.startsWith(prefix))
  const group = field?.slice(prefix.length)
  return isDecimal(group) ? Number(group) : undefined
}

function isDecimal(text: string | undefined): text is string {
  return text !== undefined && /^\d+$/.test(text)
}
