using StackExchange.Redis;

namespace EventBus;

/// <summary>The right of one instance to hand out an ordered subscription: a key that expires unless it is renewed, with a number that rises whenever it is taken. Thread-safe; every failure is thrown.</summary>
/// <remarks>
/// The deadline is kept by this process's own steady clock and counted from before the command was sent. It is a sixth shorter than the one at the server, so that this instance lets go before another can begin.
/// </remarks>
internal sealed class RedisLease(IDatabase database, RedisTopology names, string group, string consumer, TimeSpan claimAfter)
{
    // A token is a number, the number with which this tenure began, and the taker's own name, which no other ever has. Numbers follow the server's clock as well, so that they rise even after Redis forgot everything.
    // A taker that has the lease already gets it under a new number, which shuts out its own earlier commands that are still on their way; the tenure stays the same.
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
        -- Redis at its memory limit lets a script go on writing that has written before. Whoever takes over makes memory free.
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

    /// <summary>What commands show to be let through; null while this instance does not have the lease, or may no longer have it.</summary>
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

    /// <summary>How long this instance may still act on what it was granted last.</summary>
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
    /// <returns>The token, and whether this instance had it without a break; null while another has it.</returns>
    public async Task<(string Token, bool Continued)?> TryTakeAsync()
    {
        var sentAt = names.Time.GetTimestamp();
        var before = Token;
        var answer = await database.ScriptEvaluateAsync(TakeScript, [Key, names.FenceOf(group)], [consumer, (long)claimAfter.TotalMilliseconds]);
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

    /// <returns>Whether this instance still has what it had.</returns>
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

    /// <summary>The consumer that has it, where that is another.</summary>
    public async Task<IReadOnlyCollection<string>> OtherHoldersAsync() =>
        (string?)await database.StringGetAsync(Key) is { } held && held[(held.LastIndexOf(':') + 1)..] is var holder && holder != consumer ? [holder] : [];

    /// <summary>Leaves it to whoever asks next.</summary>
    public async Task ReleaseAsync()
    {
        if (Tenure is { } mine)
        {
            Drop(Token);
            await database.ScriptEvaluateAsync(ReleaseScript, [Key], [mine]);
        }
    }

    /// <summary>This instance may no longer have it.</summary>
    public void Drop(string? lost)
    {
        lock (gate)
        {
            token = token == lost ? null : token;
        }
    }
}
