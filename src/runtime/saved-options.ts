/** The compiler's options that config.json does not have, kept so that a late failure can be explained. */

/** The compiler's options that `create` used and that config.json does not have. */
export interface SavedOptions {
  readonly preservedFds: number
  readonly noPivot: boolean
  readonly wholeMounts: readonly string[]
  readonly noNewKeyring: boolean
  readonly console: boolean
  readonly supervise: boolean
  readonly tethered: boolean
  readonly cgroupMount?: string
  readonly danglingLinks: Readonly<Record<string, string>>
}

/** Name of the file that holds {@link SavedOptions}. */
export const OPTIONS_FILE = 'options.json'
