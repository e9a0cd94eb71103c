using EventBus.Stores;
using StackExchange.Redis;

namespace EventBus;

/// <summary>What the stores share: the connection, and the names of their keys. Thread-safe once open.</summary>
/// <remarks>
/// All keys begin with the hash tag <c>{prefix:service}</c>: in a cluster they share a slot, so that one script may touch any of them. A transport whose prefix is <c>prefix:service</c> has the same tag;
/// the word after it keeps the two apart, because no stream of events has a colon in its name.
/// </remarks>
internal sealed class RedisStoreLink(RedisConnector connector, RedisOptions options)
{
    private IConnectionMultiplexer? connection;
    private string? root;

    public async ValueTask OpenAsync(StoreSetup setup, CancellationToken cancellationToken)
    {
        root = $"{{{options.KeyPrefix}:{setup.ServiceName}}}:store:";
        connection = await connector.ShareAsync(setup.FailFast, cancellationToken);
    }

    public async ValueTask CloseAsync()
    {
        if (connection is not null)
        {
            connection = null;
            await connector.ReleaseAsync();
        }
    }

    public RedisKey Key(string name) => (root ?? throw NotOpen()) + name;

    /// <summary>Runs a script, of which Redis keeps a copy, so that only its hash is sent.</summary>
    public Task<RedisResult> RunAsync(string script, RedisKey[] keys, RedisValue[] values, CancellationToken cancellationToken) =>
        AskAsync(database => database.ScriptEvaluateAsync(script, keys, values), cancellationToken);

    /// <summary>Asks Redis. See <see cref="RedisConnector.AnswerAsync{T}"/>.</summary>
    public async Task<T> AskAsync<T>(Func<IDatabase, Task<T>> ask, CancellationToken cancellationToken)
    {
        var database = (connection ?? throw NotOpen()).GetDatabase();

        return await connector.AnswerAsync(ask(database), cancellationToken);
    }

    private static InvalidOperationException NotOpen() => new("The stores are not open.");
}
