using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Holds a receiver's own connection for commands that may take long, because they wait at the server or have large
/// answers. It is opened at first use, so that a start without Redis does not wait for it. Thread-safe.
/// </summary>
/// <remarks>
/// The watchdog closes an inactive connection. While it is active, the wait for an answer has no timeout.
/// </remarks>
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
        Task<ConnectionMultiplexer> connection;
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(isClosed, this);
            if (opening is null || opening.IsFaulted)
            {
                opening = connector.OpenBlockingAsync();
            }

            connection = opening;
        }

        return (await connection).GetDatabase();
    }

    /// <inheritdoc cref="OpenAsync"/>
    /// <param name="stop">Cancels the wait. The connection continues to open.</param>
    public Task<IDatabase> GetAsync(CancellationToken stop) => OpenAsync().Observed().WaitAsync(stop);

    /// <summary>
    /// Closes the connection and cancels its commands. A connection that is being opened is closed as soon as it is
    /// open. Never throws.
    /// </summary>
    public async Task CloseAsync()
    {
        Task<ConnectionMultiplexer>? opened;
        lock (gate)
        {
            opened = opening;
            isClosed = true;
        }

        try
        {
            if (opened is not null)
            {
                await using var connection = await opened;
                await connection.CloseAsync(allowCommandsToComplete: false);
            }
        }
        catch (Exception)
        {
            // There is no connection, or it is already closed.
        }
    }
}
