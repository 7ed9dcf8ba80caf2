/** What is used of nfc-pcsc 0.8, which brings no types. */
declare module "nfc-pcsc" {
  export interface NfcReader {
    readonly name: string;
    autoProcessing: boolean;
    card: { atr?: Buffer } | null;
    connection: object | null;
    readonly reader: CardReader;
    connect(): Promise<object>;
    disconnect(): Promise<unknown>;
    transmit(bytes: Buffer, answerBytesMax: number): Promise<Buffer>;
    on(event: "card" | "end", listener: () => void): unknown;
    on(event: "error", listener: (error: Error) => void): unknown;
    emit(event: unknown, ...values: unknown[]): boolean;
  }

  /** The reader of pcsclite underneath. */
  export interface CardReader {
    readonly state: number | undefined;
    readonly SCARD_SHARE_DIRECT: number;
    readonly SCARD_LEAVE_CARD: number;
    readonly IOCTL_CCID_ESCAPE: number;
    on(event: "status", listener: (status: { state: number; atr?: Buffer }) => void): unknown;
    connect(options: { share_mode: number; protocol: number }, done: (error?: Error | null) => void): void;
    control(
      bytes: Buffer,
      code: number,
      answerBytesMax: number,
      done: (error: Error | null, answer: Buffer) => void,
    ): void;
    disconnect(disposition: number, done: (error?: Error | null) => void): void;
  }

  interface Nfc {
    on(event: "reader", listener: (reader: NfcReader) => void): unknown;
    on(event: "error", listener: (error: Error) => void): unknown;
  }

  const nfcPcsc: { NFC: new () => Nfc };
  export default nfcPcsc;
}
