using System.Data.Common;
using EventBus.Stores;

namespace EventBus;

/// <summary>Stores when each subscription was last in use, for all applications that share a database.</summary>
internal sealed class SqlSubscriptionStore(SqlDatabase database) : SubscriptionStore
{
    private readonly string record =
        $"""
        INSERT INTO {database.Prefix}subscriptions (backend, app, subscription, seen_at) VALUES (@backend, @app, @subscription, @now)
        ON CONFLICT (backend, app, subscription) DO UPDATE SET seen_at = excluded.seen_at
        """;

    private readonly string list = $"SELECT a.name, s.subscription, s.seen_at FROM {database.Prefix}subscriptions s JOIN "
        + $"{database.Prefix}apps a ON a.id = s.app WHERE s.backend = @backend";

    private readonly string forget =
        $"DELETE FROM {database.Prefix}subscriptions WHERE backend = @backend AND subscription = @subscription AND app = (SELECT id FROM "
            + $"{database.Prefix}apps WHERE name = @service)";

    public override async ValueTask<IReadOnlyList<(string Service, string Name, DateTimeOffset LastSeen)>> RecordAsync(
        string backend,
        IReadOnlyCollection<string> subscriptions,
        DateTimeOffset now,
        CancellationToken cancellationToken)
    {
        if (subscriptions.Count > 0)
        {
            await database.WriteAsync(
                async session =>
                {
                    var changed = 0;
                    foreach (var subscription in subscriptions)
                    {
                        changed += await session.Prepare(record)
                            .Set("@backend", backend)
                            .Set("@subscription", subscription)
                            .Set("@now", now)
                            .ExecuteAsync();
                    }

                    return changed;
                },
                cancellationToken);
        }

        return await database.ReadAsync(
            async session => await session.Prepare(list).Set("@backend", backend).ListAsync(Read),
            cancellationToken);
    }

    public override async ValueTask ForgetAsync(string backend, string service, string subscription, CancellationToken cancellationToken) =>
        await database.WriteAsync(session => session.Prepare(forget)
            .Set("@backend", backend)
            .Set("@service", service)
            .Set("@subscription", subscription)
            .ExecuteAsync(), cancellationToken);

    private static (string Service, string Name, DateTimeOffset LastSeen) Read(DbDataReader reader)
    {
        var row = new SqlRow(reader);
        return (row.Text(), row.Text(), row.Time());
    }
}
