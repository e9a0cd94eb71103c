using EventBus.Stores;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Provides the connection and the key names that all stores share. Thread-safe once open.</summary>
/// <remarks>
/// All keys begin with the hash tag <c>{prefix:service}</c>: in a cluster they are in the same slot, so that one script
/// may access any of them. A transport whose prefix is <c>prefix:service</c> has the same tag. Its keys differ from
/// those of the stores in the word after the tag, which is <c>store</c> for all keys of the stores and for no other.
/// </remarks>
internal sealed class RedisStoreLink(RedisConnector connector, string keyPrefix)
{
    // The time that the start waits for the first check of the server's clock. If the server does not reply in time, a
    // later check follows.
    private static readonly TimeSpan FirstCheckTimeout = TimeSpan.FromSeconds(1);

    private IConnectionMultiplexer? connection;
    private RedisClock? clock;
    private string? root;

    /// <summary>True if the process has subscriptions.</summary>
    public bool HasSubscriptions { get; private set; }

    /// <summary>The name of the application.</summary>
    public string Service { get; private set; } = "";

    public async ValueTask OpenAsync(StoreSetup setup, CancellationToken cancellationToken)
    {
        HasSubscriptions = setup.Subscriptions.Count > 0;
        Service = setup.ServiceName;
        root = $"{{{keyPrefix}:{setup.ServiceName}}}:store:";
        connection = await connector.ShareAsync(setup.FailFast, cancellationToken);
        if (clock is not null && connection.IsConnected)
        {
            await clock.FollowAsync(this, cancellationToken).WaitAsync(FirstCheckTimeout, TimeProvider.System, cancellationToken).Quietly();
        }
    }

    /// <summary>
    /// Creates the clock that the stores use for due times and leases. It follows the server's clock.
    /// </summary>
    public TimeProvider CreateClock(TimeProvider time) => clock = new RedisClock(time);

    public async ValueTask CloseAsync()
    {
        if (connection is not null)
        {
            connection = null;
            await connector.ReleaseAsync();
        }
    }

    public RedisKey Key(string name) => (root ?? throw NotOpen()) + name;

    /// <summary>Runs a script. Redis caches scripts, so usually only the hash of the script is sent.</summary>
    /// <exception cref="StoreRefusedException">
    /// A value is longer than Redis accepts. Sending it would close the connection, also for all other calls that use
    /// it.
    /// </exception>
    public async Task<RedisResult> RunAsync(string script, RedisKey[] keys, RedisValue[] values, CancellationToken cancellationToken)
    {
        await CheckLengthAsync(LongestOf(values), cancellationToken);

        // The check of the clock is sent before the script, and its answer is not awaited.
        clock?.FollowAsync(this, CancellationToken.None).Observed();
        return await AskAsync(database => database.ScriptEvaluateAsync(script, keys, values), cancellationToken);
    }

    /// <summary>Sends a command to Redis. See <see cref="RedisConnector.AnswerAsync{T}"/>.</summary>
    public async Task<T> AskAsync<T>(Func<IDatabase, Task<T>> ask, CancellationToken cancellationToken)
    {
        var database = (connection ?? throw NotOpen()).GetDatabase();

        try
        {
            return await connector.AnswerAsync(ask(database), cancellationToken);
        }
        catch (RedisServerException exception) when (IsOfServer(exception))
        {
            throw new StoreRefusedException(StoreScope.Store, Explain(exception), exception);
        }
        catch (Exception exception) when (exception is RedisConnectionException or TimeoutException)
        {
            throw connector.Address.Explain(exception);
        }
    }

    private async Task CheckLengthAsync(long longest, CancellationToken cancellationToken)
    {
        if (longest < RedisArgumentLimit.Smallest)
        {
            return;
        }

        var limit = await RedisArgumentLimit.AskAsync(
            arguments => AskAsync(database => database.ExecuteAsync("CONFIG", arguments), cancellationToken));
        if (longest > limit)
        {
            throw new StoreRefusedException(
                StoreScope.Entry,
                $"A part of the entry has {longest:N0} bytes; Redis reads {limit:N0} at most (proto-max-bulk-len).");
        }
    }

    private static long LongestOf(RedisValue[] values)
    {
        var longest = 0L;
        foreach (var value in values)
        {
            longest = Math.Max(longest, value.Length());
        }

        return longest;
    }

    private static string Explain(RedisServerException exception)
    {
        if (IsFull(exception))
        {
            return "Redis is full (maxmemory), and refused the write. Give it more memory, or remove data that is not needed.";
        }

        var code = CodeOf(exception);
        return code switch
        {
            "NOPERM" => "The user has no right to use a command or a key of the stores in Redis (NOPERM). Grant it in the access control "
                + "list (ACL) of Redis.",
            "NOAUTH" or "WRONGPASS" => $"Redis did not accept the user or the password ({code}). Correct them in the connection string.",
            _ => $"Redis accepts no commands at present ({code}). Check its state: it may be loading, a replica, or unable to write to "
                + "its disk.",
        };
    }

    private static string CodeOf(RedisServerException exception) => exception.Message.Split(' ')[0];

    /// <summary>
    /// Returns true if an error concerns the server or the user's rights, and not the content of the command. A script
    /// that Redis refuses, or ends at its first write, has changed nothing.
    /// </summary>
    private static bool IsOfServer(RedisServerException exception) =>
        CodeOf(exception) is "LOADING"
            or "READONLY"
            or "MISCONF"
            or "MASTERDOWN"
            or "CLUSTERDOWN"
            or "TRYAGAIN"
            or "BUSY"
            or "NOREPLICAS"
            or "NOAUTH"
            or "WRONGPASS"
            or "NOPERM"
        || IsFull(exception);

    // Redis 6.2 puts the code of an error inside a script in the middle of the message.
    private static bool IsFull(RedisServerException exception) => exception.Message.Contains("OOM", StringComparison.Ordinal);

    private static InvalidOperationException NotOpen() => new("The stores are not open.");
}
