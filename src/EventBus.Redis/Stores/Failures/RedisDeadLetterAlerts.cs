using EventBus.Stores;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Claims the alerts of dead letters, and records which were sent.</summary>
internal sealed class RedisDeadLetterAlerts(RedisStoreLink link, RedisFailureKeys keys)
{
    /// <inheritdoc cref="DeadLetterQueue.ClaimAlertsAsync"/>
    public async Task<DueBatch<PendingAlert>> ClaimAsync(
        DateTimeOffset now,
        TimeSpan lease,
        int max,
        CancellationToken cancellationToken)
    {
        var rows = (RedisResult[])(await link.RunAsync(
            RedisDeadLetterScripts.ClaimAlerts, keys.For(), [RedisTime.Write(now), RedisTime.Write(now + lease), max], cancellationToken))!;
        return new DueBatch<PendingAlert>([.. rows.Skip(1).Select(ReadAlert).OrderBy(alert => alert.Number)], RedisTime.ReadScore(rows[0]));
    }

    /// <inheritdoc cref="DeadLetterQueue.MarkAlertedAsync"/>
    public Task MarkSentAsync(IReadOnlyCollection<PendingAlert> sent, CancellationToken cancellationToken) =>
        link.RunAsync(
            RedisDeadLetterScripts.MarkAlerted,
            keys.For(),
            [.. sent.SelectMany(alert => new RedisValue[] { alert.Id, alert.Number })],
            cancellationToken);

    private static PendingAlert ReadAlert(RedisResult row)
    {
        var id = (string)row[0]!;
        var subscription = RedisFailureFormat.Split(id).Subscription;
        var name = RedisFailureStateFormat.Read(subscription, row[2], out _)?.Name;
        return new PendingAlert(
            id,
            (long)(double)row[1],
            subscription,
            string.IsNullOrEmpty(name) ? CloudEventAttributes.UnreadableType : name);
    }
}
