using EventBus.Transports;

namespace EventBus;

/// <summary>Keeps what the broker itself gives up as dead letters: first the store has it, then it leaves the broker.</summary>
/// <param name="transport">Where it comes from.</param>
/// <param name="failures">Where it is kept.</param>
/// <param name="policyOf">How a subscription fails, by its name, also one that this application does not have.</param>
/// <param name="time">The clock.</param>
internal sealed class GivenUpLoop(Transport transport, FailureRecorder failures, Func<string, FailurePolicy> policyOf, TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    // One at a time, apart from the handlers, which may all hang.
    private readonly HandlerSlots slots = new(1);

    /// <summary>Keeps all that waits, and says when to look again.</summary>
    public async Task<DateTimeOffset?> KeepAllAsync(CancellationToken stop)
    {
        while (await transport.TakeGivenUpAsync(stop) is { } givenUp)
        {
            await KeepAsync(givenUp);
        }

        return time.GetUtcNow() + Interval;
    }

    private async Task KeepAsync(GivenUp givenUp)
    {
        var policy = policyOf(givenUp.Subscription);
        await slots.TakeAsync();
        try
        {
            await failures.RecordAsync(policy, policy.Fresh(givenUp.Delivery.Envelope, starts: 0), new Rejected(new Rejection(givenUp.Reason, givenUp.Error)), slots);
        }
        catch (Exception)
        {
            await givenUp.Delivery.ReleaseAsync();
            throw;
        }
        finally
        {
            slots.GiveBack();
        }

        await givenUp.Delivery.AckAsync();
    }
}
