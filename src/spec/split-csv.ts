/** Splits one CSV record (RFC 4180), the form of --mount: fields may stand in double quotes. */

/** The fields of `text`; undefined when a quote is not closed or stands in the middle of a field. */
export function splitCsv(text: string): readonly string[] | undefined {
  const fields: string[] = []
  let rest = text
  for (;;) {
    const match = /^(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/.exec(rest)
    if (match === null) return undefined
    const [whole, quoted, plain = '', separator] = match
    fields.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'))
    if (separator === '') return fields
    rest = rest.slice(whole.length)
  }
}
