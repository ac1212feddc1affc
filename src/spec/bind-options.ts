/** Mount options of a bind mount, of a volume too, as config.json has them. */

export type ReadOnly = 'no' | 'top' | 'recursive'

/** `rro` makes mounts below the source read-only too (mount_setattr(2)), as docker does since 25. */
export function bindOptions(
  bind: string,
  propagation: string,
  readonly: ReadOnly,
  attributes: readonly string[] = [],
): readonly string[] {
  const access = { no: [], top: ['ro'], recursive: bind === 'rbind' ? ['ro', 'rro'] : ['ro'] }[
    readonly
  ]
  return [bind, propagation, ...access, ...attributes]
}
