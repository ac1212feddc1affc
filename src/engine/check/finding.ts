/** What `system check` has to say about one thing in the store. */

export const FINDING_KINDS = [
  'container',
  'name',
  'state',
  'monitor',
  'mount',
  'cgroup',
  'snapshot',
  'layer',
  'index',
  'image',
  'blob',
  'volume',
] as const

export type FindingKind = (typeof FINDING_KINDS)[number]

export interface Finding {
  readonly kind: FindingKind
  /** Name, id, digest or path, as people know it. */
  readonly object: string
  readonly problem: string
  /** What a person can do about it. */
  readonly remedy: string
  /** Puts it right and tells what was done; absent where only a person can. */
  readonly repair?: () => Promise<string>
  /** What the repair gives up for good: it is then only made with --force. */
  readonly loses?: string
}

/** The remedy of whatever tsrun can put right by itself. */
export const REPAIR_REMEDY = 'tsrun system check --repair'

/** The remedy where the repair gives something up. */
export const FORCED_REMEDY = 'tsrun system check --repair --force'
