import { SnapwireError } from "../protocol/errors.ts";

const MAX_DEVICE_ID_LENGTH = 128;

/**
 * The name of a device as it is kept: trimmed, in lower case.
 * @throws SnapwireError `invalid-device-id`: not a text, or not of 1 to 128 characters.
 */
export function normaliseDeviceId(deviceId: unknown): string {
  const normalised = typeof deviceId === "string" ? deviceId.trim().toLowerCase() : "";
  if (normalised.length > 0 && normalised.length <= MAX_DEVICE_ID_LENGTH) return normalised;
  throw new SnapwireError(
    "invalid-device-id",
    `A device id must be a text of 1 to ${MAX_DEVICE_ID_LENGTH} characters that is not blank.`,
  );
}
