using StackExchange.Redis;

namespace Checkout;

/// <summary>Reads the orders of a user: from the cache if there is one, otherwise from SQLite.</summary>
public sealed class OrderReader(OrderQueries queries, TimeProvider time, ILogger<OrderReader> log, OrderCache? cache = null)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);

    public async Task<IReadOnlyList<OrderRow>> ListAsync(string userId, CancellationToken cancellationToken)
    {
        if (cache is null)
        {
            return await ReadAsync();
        }

        try
        {
            var orders = await cache.FindAsync(userId) ?? await cache.FillAsync(userId, ReadAsync);
            return [.. orders.Take(OrderQueries.PageSize)];
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException)
        {
            log.LogWarning("The cache does not answer, SQLite does: {Error}", exception.Message);
            return await ReadAsync();
        }

        Task<IReadOnlyList<OrderRow>> ReadAsync() => queries.ListAsync(userId, cancellationToken);
    }

    #region own-write
    /// <summary>Reads the orders when one of them has at least the version that a command has returned.</summary>
    /// <exception cref="RefusedException">The read model does not have it in time.</exception>
    public async Task<IReadOnlyList<OrderRow>> ListAsync(string userId, string orderId, long version, CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        while ((await queries.FindAsync(orderId, cancellationToken))?.Order.Version is not { } found || found < version)
        {
            if (time.GetElapsedTime(start) > Limit)
            {
                throw new RefusedException(StatusCodes.Status503ServiceUnavailable, $"order {orderId} is not shown yet, try again");
            }

            // Another process may write the row, so there is no signal to wait for.
            await Task.Delay(Look, time, cancellationToken);
        }

        return await queries.ListAsync(userId, cancellationToken);
    }
    #endregion
}
