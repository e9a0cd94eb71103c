using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Represents the lease of an ordered subscription: a key that expires unless it is renewed, with a fencing token whose
/// number increases each time the lease is taken. Thread-safe; every failure is thrown.
/// </summary>
/// <remarks>
/// <para>
/// The value of the key is the token of the holder: <c>number:first number:consumer</c>. The part from the first colon
/// on is the tenure: it identifies the time for which the holder has had the lease without interruption. The holder may
/// take the lease again: it gets a higher number in the same tenure, so that its own earlier commands that are still in
/// transit are refused.
/// </para>
/// <para>
/// This instance acts on the lease for five sixths of its expiry at the server, measured with the monotonic clock of
/// this process from before the command was sent, so that it stops before another instance can begin.
/// </para>
/// </remarks>
internal sealed class RedisLease(IDatabase database, RedisTopology names, string group, string consumer, TimeSpan claimAfter)
{
    private readonly Lock gate = new();
    private readonly TimeSpan keepFor = claimAfter * 5 / 6;
    private string? token;

    // The tenure of the last token that this instance got.
    private string? tenure;
    private long renewedAt;

    public RedisKey Key { get; } = names.LeaseOf(group);

    /// <summary>
    /// The fencing token that commands present; null if this instance does not hold the lease or may no longer hold it.
    /// </summary>
    public string? Token
    {
        get
        {
            lock (gate)
            {
                return token;
            }
        }
    }

    /// <summary>The time for which this instance may still act on the lease.</summary>
    public TimeSpan Remaining
    {
        get
        {
            lock (gate)
            {
                return token is null ? TimeSpan.Zero : keepFor - names.Time.GetElapsedTime(renewedAt);
            }
        }
    }

    /// <summary>Takes the lease, or takes it again under a new number.</summary>
    /// <returns>
    /// The token, and true if this instance has held the lease without interruption; null if another instance holds it.
    /// </returns>
    public async Task<(string Token, bool Continued)?> TryTakeAsync()
    {
        var sentAt = names.Time.GetTimestamp();
        var previousToken = Token;
        var answer = await database.ScriptEvaluateAsync(
            RedisLeaseScripts.Take,
            [Key, names.FenceOf(group)],
            [consumer, (long)claimAfter.TotalMilliseconds]);
        if (answer.IsNull)
        {
            Drop(previousToken);
            return null;
        }

        lock (gate)
        {
            var number = (string)answer[0]!;
            var newTenure = (string)answer[1]!;
            var continued = token is not null && newTenure == tenure;
            token = number + newTenure;
            tenure = newTenure;
            renewedAt = sentAt;
            return (token, continued);
        }
    }

    /// <summary>Renews the lease, if this instance holds it.</summary>
    /// <returns>False if this instance has lost the lease that it held when the call began.</returns>
    public async Task<bool> RenewAsync()
    {
        var sentAt = names.Time.GetTimestamp();
        string? heldTenure;
        lock (gate)
        {
            heldTenure = token is null ? null : tenure;
        }

        if (heldTenure is null)
        {
            return true;
        }

        RedisValue[] arguments = [heldTenure, (long)claimAfter.TotalMilliseconds];
        var isRenewed = (long)await database.ScriptEvaluateAsync(RedisLeaseScripts.Renew, [Key], arguments) == 1;
        lock (gate)
        {
            var isSameTenure = token is not null && tenure == heldTenure;
            if (!isSameTenure)
            {
                // The lease was dropped or taken again in the meantime, so the answer has no meaning.
                return true;
            }

            if (isRenewed && sentAt > renewedAt)
            {
                renewedAt = sentAt;
            }

            return isRenewed;
        }
    }

    /// <summary>Gets the consumer that holds the lease, if it is not this one.</summary>
    public async Task<IReadOnlyCollection<string>> OtherHoldersAsync()
    {
        var value = (string?)await database.StringGetAsync(Key);
        if (value is null)
        {
            return [];
        }

        // The value ends with the name of the consumer, which contains no colon.
        var holder = value[(value.LastIndexOf(':') + 1)..];
        return holder == consumer ? [] : [holder];
    }

    /// <summary>
    /// Releases the lease for the next instance that requests it, also a lease that this instance has requested and
    /// whose answer is still in transit: Redis executes the commands of a connection in order.
    /// </summary>
    public async Task ReleaseAsync()
    {
        Drop(Token);
        await database.ScriptEvaluateAsync(RedisLeaseScripts.Release, [Key], [$":{consumer}"]);
    }

    /// <summary>
    /// Drops the given token if it is the current one, because this instance may no longer hold the lease.
    /// </summary>
    public void Drop(string? lost)
    {
        lock (gate)
        {
            if (token == lost)
            {
                token = null;
            }
        }
    }
}
