import { html } from "../../shared/html.ts";

/** The look of the contact sheet, light or dark as the reader's system is. */
export const contactSheetStyle = html`<style>
  :root {
    --page: #f6f5f2;
    --card: #fff;
    --text: #1d1c1a;
    --soft: #6d6a64;
    --line: #e4e1da;
    --bad: #b3261e;
    --bad-page: #fbeceb;
  }
  @media (prefers-color-scheme: dark) {
    :root {
      --page: #131312;
      --card: #1d1d1b;
      --text: #eceae5;
      --soft: #a19d95;
      --line: #32312e;
      --bad: #ff9d94;
      --bad-page: #33201e;
    }
  }
  * {
    box-sizing: border-box;
  }
  body {
    margin: 0 auto;
    max-width: 1600px;
    padding: clamp(16px, 3vw, 40px);
    background: var(--page);
    color: var(--text);
    font:
      15px/1.45 system-ui,
      sans-serif;
  }
  p,
  dl,
  dd,
  h1 {
    margin: 0;
  }
  h1 {
    font-size: clamp(24px, 4vw, 38px);
    line-height: 1.15;
    letter-spacing: -0.02em;
    overflow-wrap: anywhere;
  }
  .run,
  .source,
  .number,
  dt {
    color: var(--soft);
    font-size: 13px;
  }
  .source {
    margin-top: 6px;
    overflow-wrap: anywhere;
  }
  dl {
    display: flex;
    flex-wrap: wrap;
    gap: 12px 32px;
    margin: 20px 0 28px;
    padding: 16px 0;
    border-block: 1px solid var(--line);
  }
  dd {
    font-size: 22px;
    font-weight: 600;
    font-variant-numeric: tabular-nums;
  }
  .bad dd {
    color: var(--bad);
  }
  main {
    display: grid;
    grid-template-columns: repeat(auto-fill, minmax(min(100%, 270px), 1fr));
    gap: 20px;
    align-items: start;
  }
  article {
    overflow: hidden;
    border: 1px solid var(--line);
    border-radius: 12px;
    background: var(--card);
  }
  .tiles {
    display: grid;
    gap: 2px;
  }
  .of-2 {
    grid-template-columns: 1fr 1fr;
  }
  .of-3 {
    grid-template-columns: 1fr 1fr 1fr;
  }
  .tiles > * {
    display: block;
    aspect-ratio: 1;
    min-width: 0;
    overflow: hidden;
  }
  img {
    display: block;
    width: 100%;
    height: 100%;
    object-fit: cover;
    background: var(--line);
    font-size: 12px;
  }
  a:focus-visible {
    outline: 3px solid var(--text);
    outline-offset: -3px;
  }
  .gap {
    padding: 12px;
    background: var(--bad-page);
    color: var(--bad);
    font-size: 13px;
    overflow-wrap: anywhere;
  }
  .gap strong {
    display: block;
  }
  .gap span {
    display: -webkit-box;
    overflow: hidden;
    -webkit-box-orient: vertical;
    -webkit-line-clamp: 4;
  }
  .prompt {
    display: -webkit-box;
    margin: 12px 14px 4px;
    overflow: hidden;
    overflow-wrap: anywhere;
    -webkit-box-orient: vertical;
    -webkit-line-clamp: 6;
  }
  .number {
    margin: 0 14px 12px;
    overflow-wrap: anywhere;
  }
  .empty {
    color: var(--soft);
  }
</style>`;
