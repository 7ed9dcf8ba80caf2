/** What `act` throws, with the case it was thrown in: a loop over seeds or disk calls leaves nobody guessing. */
export async function named<Given>(where: string, act: () => Promise<Given>): Promise<Given> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof Error) error.message = `${where}: ${error.message}`;
    throw error;
  }
}
