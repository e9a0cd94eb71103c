using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Holds a receiver's own connection for commands that may take long, because they wait at the server or have large
/// answers. It is opened at first use, so that a start without Redis does not wait for it. Thread-safe.
/// </summary>
internal sealed class RedisBlockingConnection(RedisConnector connector)
{
    private readonly Lock gate = new();
    private Task<ConnectionMultiplexer>? opening;
    private bool isClosed;

    /// <summary>Gets the connection, and opens it if needed.</summary>
    /// <exception cref="EventBusException">
    /// Redis refuses a connection with the application's settings. The next call tries again.
    /// </exception>
    public async Task<IDatabase> OpenAsync()
    {
        Task<ConnectionMultiplexer> current;
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(isClosed, this);
            if (opening is null or { IsFaulted: true })
            {
                opening = connector.OpenBlockingAsync();
            }

            current = opening;
        }

        return (await current).GetDatabase();
    }

    /// <summary>
    /// Cancels commands that wait at the server, now or as soon as the connection is open. Never throws.
    /// </summary>
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
            // There is no connection, or it is already closed.
        }
    }
}
