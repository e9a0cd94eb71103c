using EventBus.Stores;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Reads pages of the indexes of dead letters, and marks the dead letters that match a filter. There is an index of all
/// dead letters and one for each subscription. The other parts of a filter are compared with the stored states.
/// </summary>
internal sealed class RedisDeadLetterPages(RedisStoreLink link, RedisFailureKeys keys)
{
    /// <summary>True if all members of the index of a filter match the filter (<see cref="IndexOf"/>).</summary>
    public static bool IsIndexed(DeadLetterFilter filter) => filter is { EventName: null, Reason: null };

    /// <summary>True if a dead letter matches the name and the reason of a filter.</summary>
    /// <param name="filter">The filter.</param>
    /// <param name="name">The name of its event; null if its state cannot be read.</param>
    /// <param name="entry">The dead letter; null if its state cannot be read.</param>
    public static bool Matches(DeadLetterFilter filter, string? name, FailedEvent? entry) =>
        (filter.EventName is null || filter.EventName == name) && (filter.Reason is null || filter.Reason == entry?.Reason);

    /// <summary>Gets the smallest index that contains the dead letters that match a filter.</summary>
    public RedisKey IndexOf(DeadLetterFilter filter) => filter.Subscription is { } subscription ? keys.DeadOf(subscription) : keys.Dead;

    /// <summary>Reads the next dead letters below a number (null for no bound), the highest number first.</summary>
    public async Task<IReadOnlyList<(string Id, long Number, bool Matches)>> DescendingAsync(
        DeadLetterFilter filter, long? before, int size, CancellationToken cancellationToken)
    {
        RedisValue[] range = [before is { } number ? $"({number}" : "+inf", size];
        return Read(await link.RunAsync(RedisDeadLetterQueries.PageDescending, KeysFor(filter), range, cancellationToken), filter);
    }

    /// <summary>Reads the next dead letters above a number, the lowest number first.</summary>
    public async Task<IReadOnlyList<(string Id, long Number, bool Matches)>> AscendingAsync(
        DeadLetterFilter filter, long after, int size, CancellationToken cancellationToken)
    {
        RedisValue[] range = [$"({after}", filter.Before is { } before ? $"({before}" : "+inf", size];
        return Read(await link.RunAsync(RedisDeadLetterQueries.PageAscending, KeysFor(filter), range, cancellationToken), filter);
    }

    private static IReadOnlyList<(string Id, long Number, bool Matches)> Read(RedisResult rows, DeadLetterFilter filter)
    {
        return [.. ((RedisResult[])rows!).Select(ReadRow)];

        (string Id, long Number, bool Matches) ReadRow(RedisResult row)
        {
            var id = (string)row[0]!;
            var number = (long)(double)row[1];
            if (IsIndexed(filter))
            {
                return (id, number, true);
            }

            var state = RedisFailureStateFormat.Read(RedisFailureFormat.Split(id).Subscription, row[2], out _);
            return (id, number, Matches(filter, state?.Name, state?.Entry));
        }
    }

    private RedisKey[] KeysFor(DeadLetterFilter filter) => [IndexOf(filter), keys.States];
}
