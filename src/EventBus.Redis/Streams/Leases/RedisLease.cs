using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Represents the lease of an ordered subscription: a key that expires unless it is renewed, with a fencing token whose
/// number increases each time the lease is taken. Thread-safe; every failure is thrown.
/// </summary>
/// <remarks>
/// The deadline is measured with the monotonic clock of this process, from before the command was sent. It is a sixth
/// shorter than the expiry at the server, so that this instance stops before another can begin.
/// </remarks>
internal sealed class RedisLease(IDatabase database, RedisTopology names, string group, string consumer, TimeSpan claimAfter)
{
    // A token consists of a number, the number with which this tenure began, and the unique name of the consumer.
    // Numbers follow the server's clock, so that they increase even after Redis has lost all data. A consumer that
    // already holds the lease gets it under a new number, so that its own earlier commands that are still in transit
    // are refused; the tenure stays the same.
    private const string TakeScript = """
        local types = { 'string', 'string' }
        """ + RedisKeyTypes.Check + """
        local holder = redis.call('GET', KEYS[1])
        if holder and string.sub(holder, -#ARGV[1]) ~= ARGV[1] then
          return false
        end
        local now = redis.call('TIME')
        local number = math.max((tonumber(redis.call('GET', KEYS[2])) or 0) + 1, now[1] * 1000000 + now[2])
        number = string.format('%.0f', number)
        local tenure = holder and string.match(holder, ':.*') or ':' .. number .. ':' .. ARGV[1]
        -- At its memory limit Redis lets a script continue writing once it has written. The new owner frees memory.
        redis.call('DEL', KEYS[1])
        redis.call('SET', KEYS[2], number)
        redis.call('SET', KEYS[1], number .. tenure, 'PX', ARGV[2])
        return {number, tenure}
        """;

    private const string RenewScript = """
        local holder = redis.call('GET', KEYS[1])
        return holder and string.sub(holder, -#ARGV[1]) == ARGV[1] and redis.call('PEXPIRE', KEYS[1], ARGV[2]) or 0
        """;

    private const string ReleaseScript = """
        local holder = redis.call('GET', KEYS[1])
        return holder and string.sub(holder, -#ARGV[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0
        """;

    private readonly Lock gate = new();
    private readonly TimeSpan keepFor = claimAfter * 5 / 6;
    private string? token;
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

    private string? Tenure
    {
        get
        {
            lock (gate)
            {
                return token is null ? null : tenure;
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
        var before = Token;
        var answer = await database.ScriptEvaluateAsync(
            TakeScript,
            [Key, names.FenceOf(group)],
            [consumer, (long)claimAfter.TotalMilliseconds]);
        if (answer.IsNull)
        {
            Drop(before);
            return null;
        }

        lock (gate)
        {
            var granted = (string)answer[1]!;
            var continued = token is not null && granted == tenure;
            (token, tenure, renewedAt) = ((string)answer[0]! + granted, granted, sentAt);
            return (token, continued);
        }
    }

    /// <summary>Renews the lease, if this instance holds it.</summary>
    /// <returns>False if this instance has lost the lease that it held when the call began.</returns>
    public async Task<bool> RenewAsync()
    {
        var sentAt = names.Time.GetTimestamp();
        if (Tenure is not { } mine)
        {
            return true;
        }

        var renewed = (long)await database.ScriptEvaluateAsync(RenewScript, [Key], [mine, (long)claimAfter.TotalMilliseconds]) == 1;
        lock (gate)
        {
            var asked = token is not null && tenure == mine;
            renewedAt = renewed && asked && sentAt > renewedAt ? sentAt : renewedAt;
            return renewed || !asked;
        }
    }

    /// <summary>Gets the consumer that holds the lease, if it is another one.</summary>
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
    /// Releases the lease for the next instance that requests it, also if the answer to a request of this instance is
    /// still in transit: Redis executes the commands of a connection in order.
    /// </summary>
    public async Task ReleaseAsync()
    {
        Drop(Token);
        await database.ScriptEvaluateAsync(ReleaseScript, [Key], [$":{consumer}"]);
    }

    /// <summary>
    /// Drops the given token if it is the current one, because this instance may no longer hold the lease.
    /// </summary>
    public void Drop(string? lost)
    {
        lock (gate)
        {
            token = token == lost ? null : token;
        }
    }
}
