using EventBus.Stores;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Claims the due entries of the failure store and renews their claims. A claim whose reply was lost is undone before
/// the next one.
/// </summary>
internal sealed class RedisFailureClaims(RedisStoreLink link, RedisFailureKeys keys)
{
    private const int RenewPage = 500;

    // The time for which Redis remembers the last claim, so that it can be undone.
    private static readonly TimeSpan LastClaimRetention = TimeSpan.FromMinutes(10);

    // The last claim, if its reply did not arrive.
    private volatile UnansweredClaim? unanswered;

    /// <inheritdoc cref="RetryStore.ClaimDueAsync"/>
    public async Task<DueBatch<FailedEvent>> ClaimDueAsync(
        IReadOnlyCollection<string> subscriptions, DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken)
    {
        await UndoUnansweredAsync(cancellationToken);
        var claim = new UnansweredClaim(Guid.NewGuid().ToString("N"), keys.For(subscriptions));
        RedisValue[] values =
        [
            RedisTime.Write(now), RedisTime.Write(now + lease), max, claim.Token, (long)LastClaimRetention.TotalMilliseconds,
        ];
        RedisResult[] rows;
        try
        {
            rows = (RedisResult[])(await link.RunAsync(RedisFailureClaimScripts.Claim, claim.Keys, values, cancellationToken))!;
        }
        catch
        {
            unanswered = claim;
            throw;
        }

        var entries = rows.Skip(1).OrderBy(row => (double)row[2]).Select(ReadClaimed);
        return new DueBatch<FailedEvent>([.. entries], RedisTime.ReadScore(rows[0]));
    }

    /// <inheritdoc cref="RetryStore.RenewAsync"/>
    public async Task<IReadOnlyList<string>> RenewAsync(
        IReadOnlyCollection<FailedEvent> claimed,
        DateTimeOffset until,
        CancellationToken cancellationToken)
    {
        var lost = new List<string>();
        foreach (var page in claimed.Chunk(RenewPage))
        {
            List<string> subscriptions = [.. page.Select(entry => entry.Subscription).Distinct(StringComparer.Ordinal)];
            var values = page.SelectMany(entry =>
            {
                // Each subscription has two keys.
                var indexOfKey = keys.FirstOfSubscriptions + (2 * subscriptions.IndexOf(entry.Subscription));
                return new RedisValue[] { entry.Id, entry.Claim, indexOfKey };
            });
            lost.AddRange((string[])(await link.RunAsync(
                RedisFailureClaimScripts.Renew,
                keys.For(subscriptions),
                [RedisTime.Write(until), .. values],
                cancellationToken))!);
        }

        return lost;
    }

    /// <summary>
    /// Undoes the last claim if its reply was lost: entries that were not received were not attempted.
    /// </summary>
    public async Task UndoUnansweredAsync(CancellationToken cancellationToken)
    {
        var claim = unanswered;
        if (claim is null)
        {
            return;
        }

        try
        {
            await link.RunAsync(RedisFailureClaimScripts.UndoClaim, claim.Keys, [claim.Token], cancellationToken);
        }
        catch (RedisServerException)
        {
            // A key of one of the subscriptions was overwritten. The other subscriptions must not wait for it: the
            // claimed entries are due again when their leases end.
        }

        unanswered = null;
    }

    private static FailedEvent ReadClaimed(RedisResult row)
    {
        var entry = RedisFailureFormat.Read((string)row[0]!, new StoredFailure(row[3], row[4], row[5], row[6]));

        // If the state cannot be read, the entry is a placeholder with the status Dead and no claim. In Redis the entry
        // is not dead, because only other entries are claimed.
        return entry.Status == FailedEventStatus.Dead
            ? entry with { Status = FailedEventStatus.Waiting, Claim = (long)row[1] }
            : entry;
    }

    /// <summary>A claim without a reply: the token of the call and its KEYS.</summary>
    private sealed record UnansweredClaim(string Token, RedisKey[] Keys);
}
