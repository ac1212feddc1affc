/** Follows the pages of a registry's lists. */

/** The path of `Link: </v2/…>; rel="next"` (RFC 8288), on the same registry only. */
export function nextPage(link: string | null, address: URL): string | undefined {
  const target = /<([^<>]+)>\s*;[^,]*\brel="?next"?/i.exec(link ?? '')?.[1]
  if (target === undefined || !URL.canParse(target, address.href)) return undefined
  const url = new URL(target, address)
  return url.origin === address.origin ? `${url.pathname}${url.search}` : undefined
}
