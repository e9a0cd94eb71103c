namespace EventBus.Conformance;

/// <summary>
/// Simulates claims whose answer is lost, and defines when they are repeated, for the scenarios of repeated claims.
/// </summary>
internal static class LostAnswer
{
    /// <summary>
    /// The times of the repeats in seconds after the first claim: within its lease, and after an outage that is longer
    /// than the lease.
    /// </summary>
    public static double[] RepeatTimes => [30, 61];

    /// <summary>
    /// Calls the store and cancels the call, so that the store may have executed the claim. In even rounds the token is
    /// cancelled before the call, otherwise while the call is in progress.
    /// </summary>
    public static async Task ClaimAndCancelAsync(int round, Func<CancellationToken, Task> claim)
    {
        using var cancellation = new CancellationTokenSource();
        try
        {
            if (round % 2 == 0)
            {
                await cancellation.CancelAsync();
            }

            var claiming = claim(cancellation.Token);
            await cancellation.CancelAsync();
            await claiming;
        }
        catch (OperationCanceledException)
        {
            // The result of the claim is unknown.
        }
    }
}
