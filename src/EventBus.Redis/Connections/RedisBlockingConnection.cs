using StackExchange.Redis;

namespace EventBus;

/// <summary>A receiver's own connection, for what may take long: it waits at the server, or the answer is large. Opened when it is first asked for, so that a start without Redis does not wait for it. Thread-safe.</summary>
internal sealed class RedisBlockingConnection(RedisConnector connector)
{
    private readonly Lock gate = new();
    private Task<ConnectionMultiplexer>? opening;
    private bool isClosed;

    /// <exception cref="EventBusException">Redis refuses a connection like the application's. The next call tries again.</exception>
    public async Task<IDatabase> OpenAsync()
    {
        Task<ConnectionMultiplexer> current;
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(isClosed, this);
            current = opening = opening is null or { IsFaulted: true } ? connector.OpenBlockingAsync() : opening;
        }

        return (await current).GetDatabase();
    }

    /// <summary>Ends what waits at the server, now or as soon as the connection is open. Never throws.</summary>
    public async Task CloseAsync()
    {
        Task<ConnectionMultiplexer>? current;
        lock (gate)
        {
            (current, isClosed) = (opening, true);
        }

        try
        {
            if (current is not null)
            {
                await using var connection = await current;
                await connection.CloseAsync(allowCommandsToComplete: false);
            }
        }
        catch (Exception)
        {
            // There is no connection, or none any more.
        }
    }
}
