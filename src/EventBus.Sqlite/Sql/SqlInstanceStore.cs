using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Stores which instances on a machine share a database, by subscription. <c>until</c> is the time until which an
/// instance counts unless it is recorded again.
/// </summary>
internal sealed class SqlInstanceStore(SqlDatabase database) : InstanceStore
{
    private readonly string remove = $"DELETE FROM {database.Prefix}instances WHERE app = @app AND (instance = @instance OR until < @now)";
    private readonly string add =
        $"INSERT INTO {database.Prefix}instances (app, instance, subscription, until) VALUES (@app, @instance, @subscription, @until)";
    private readonly string count = $"SELECT subscription, count(*) FROM {database.Prefix}instances WHERE app = @app GROUP BY subscription";

    public override async ValueTask<IReadOnlyDictionary<string, int>> RecordAsync(
        string instance,
        IReadOnlyCollection<string> subscriptions,
        DateTimeOffset now,
        TimeSpan validFor,
        CancellationToken cancellationToken)
    {
        var counts = await database.WriteAsync(
            async session =>
            {
                await session.Prepare(remove).Set("@instance", instance).Set("@now", now).ExecuteAsync();
                foreach (var subscription in subscriptions)
                {
                    await session.Prepare(add)
                        .Set("@instance", instance)
                        .Set("@subscription", subscription)
                        .Set("@until", now.Plus(validFor))
                        .ExecuteAsync();
                }

                return await session.Prepare(count)
                    .ListAsync(static reader => (Subscription: reader.GetString(0), Instances: reader.GetInt32(1)));
            },
            cancellationToken);
        return counts.ToDictionary(each => each.Subscription, each => each.Instances, StringComparer.Ordinal);
    }

    // With @now = 0, no row of another instance counts as expired.
    public override async ValueTask ForgetAsync(string instance, CancellationToken cancellationToken) =>
        await database.WriteAsync(
            session => session.Prepare(remove).Set("@instance", instance).Set("@now", 0).ExecuteAsync(),
            cancellationToken);
}
