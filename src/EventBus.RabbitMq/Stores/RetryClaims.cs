using EventBus.Stores;

namespace EventBus;

/// <summary>Holds the messages of the claimed retries until they are settled or lost. Thread-safe.</summary>
internal sealed class RetryClaims
{
    private readonly Lock gate = new();

    // The messages of the claims, by the number of the claim.
    private readonly Dictionary<long, PulledMessage> claims = [];

    // The subscriptions of which an interrupted entry is claimed, with the number of that claim.
    private readonly Dictionary<string, long> interruptedClaims = new(StringComparer.Ordinal);
    private long lastClaim;

    /// <summary>Adds the message of an entry, and returns the number of the claim.</summary>
    public long Add(PulledMessage pulled, string subscription, bool wasInterrupted)
    {
        lock (gate)
        {
            lastClaim++;
            claims.Add(lastClaim, pulled);
            if (wasInterrupted)
            {
                interruptedClaims[subscription] = lastClaim;
            }

            return lastClaim;
        }
    }

    /// <summary>True while an interrupted entry of a subscription is claimed.</summary>
    public bool HoldsInterrupted(string subscription)
    {
        lock (gate)
        {
            return interruptedClaims.ContainsKey(subscription);
        }
    }

    /// <summary>Counts the claims that are not lost.</summary>
    public int CountHeld()
    {
        lock (gate)
        {
            return claims.Values.Count(pulled => pulled.IsHeld);
        }
    }

    /// <summary>
    /// Gets the message of a claimed entry. If the claim was lost, forgets it and returns null.
    /// </summary>
    public PulledMessage? FindHeld(FailedEvent entry)
    {
        lock (gate)
        {
            if (claims.TryGetValue(entry.Claim, out var pulled) && pulled.IsHeld)
            {
                return pulled;
            }

            ForgetLocked(entry.Claim);
            return null;
        }
    }

    /// <summary>Acknowledges the message of a claim, if there is one, and forgets the claim.</summary>
    /// <returns>True if its entry was interrupted.</returns>
    public async Task<bool> SettleAsync(long claim, PulledMessage? held)
    {
        if (held is not null)
        {
            await held.AckAsync();
        }

        lock (gate)
        {
            return ForgetLocked(claim);
        }
    }

    private bool ForgetLocked(long claim)
    {
        claims.Remove(claim);
        foreach (var (subscription, interruptedClaim) in interruptedClaims)
        {
            if (interruptedClaim == claim)
            {
                interruptedClaims.Remove(subscription);
                return true;
            }
        }

        return false;
    }
}
