/** How commands print rows and objects: tables, JSON and templates, as docker's --format does. */

import { printable } from '../errors.ts'
import { humanDuration } from '../util/duration.ts'
import { parseTemplate } from './go-template.ts'
import { toJson } from './go-template-values.ts'

/** One printable row: the fields a template can name. */
export type Row = Readonly<Record<string, unknown>>

export interface RowFormat {
  /** The field of each column, with its heading. */
  readonly columns: Readonly<Record<string, string>>
  /** The columns of the plain table. */
  readonly table: readonly string[]
  /** The column that --quiet prints. */
  readonly key: string
}

export interface PrintOptions {
  /** `table`, `json`, a template, or `table` with a template; undefined is the plain table. */
  readonly format?: string | undefined
  readonly quiet?: boolean
}

/** The text for `rows`, with a final newline unless there is nothing to print. */
export function formatRows(rows: readonly Row[], format: RowFormat, options: PrintOptions): string {
  if (options.quiet === true) return lines(rows.map((row) => String(row[format.key])))
  const wanted = options.format ?? 'table'
  if (wanted === 'json') return lines(rows.map((row) => toJson(row)))
  if (wanted === 'table') return plainTable(rows, format)
  const isTable = /^table\s/.test(wanted)
  const template = parseTemplate(unescapeTabs(isTable ? wanted.replace(/^table\s+/, '') : wanted))
  const texts = rows.map((row) => template.render(row))
  if (!isTable) return lines(texts)
  const heading = template.render({ ...format.columns, Label: labelHeading }, { heading: true })
  return formatTable([heading, ...texts].map((text) => text.split('\t')))
}

/** Aligns the cells of each column with at least three spaces between; the last one is not padded. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const [i, cell] of rows.flatMap((row) => [...row.entries()])) {
    widths[i] = Math.max(widths[i] ?? 0, cell.length)
  }
  return lines(rows.map((row) => row.map((cell, i) => pad(cell, i, row, widths)).join('')))
}

/** A list of objects as docker inspect prints it: indented JSON, one line each, or a template. */
export function formatObjects(objects: readonly unknown[], format: string | undefined): string {
  if (format === undefined) return `${toJson(objects, 4)}\n`
  if (format === 'json') return `${toJson(objects)}\n`
  const template = parseTemplate(unescapeTabs(format))
  return lines(objects.map((object) => template.render(object)))
}

/** One object as `docker info` prints it: JSON on one line, or a template. */
export function formatObject(object: unknown, format: string): string {
  return format === 'json' ? `${toJson(object)}\n` : formatObjects([object], format)
}

/** How long ago `time` was, in one unit: `5 minutes ago`. */
export function timeAgo(time: string, now: number): string {
  return `${humanDuration(now - Date.parse(time))} ago`
}

// docker's heading of `{{.Label "com.example.some-name"}}`: `some name`.
function labelHeading(name: unknown): string {
  return (String(name).split('.').at(-1) ?? '').replaceAll(/[-_]/g, ' ')
}

function plainTable(rows: readonly Row[], format: RowFormat): string {
  const heading = format.table.map((field) => format.columns[field] ?? field)
  return formatTable([
    heading,
    ...rows.map((row) => format.table.map((field) => printable(String(row[field] ?? '')))),
  ])
}

function pad(cell: string, i: number, row: readonly string[], widths: readonly number[]): string {
  return i === row.length - 1 ? cell : cell.padEnd((widths[i] ?? 0) + 3)
}

// Shells pass `\t` and `\n` on as two characters; docker turns them into one.
function unescapeTabs(text: string): string {
  return text.replaceAll('\\t', '\t').replaceAll('\\n', '\n')
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join('')
}
