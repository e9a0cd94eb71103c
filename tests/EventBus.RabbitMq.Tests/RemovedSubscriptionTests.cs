using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace EventBus.RabbitMq.Tests;

/// <summary>
/// Tests queues of subscriptions and services that no instance has. AMQP cannot list queues; the store keeps their
/// names.
/// </summary>
public sealed class RemovedSubscriptionTests : IDisposable
{
    private static readonly TimeSpan Later = TimeSpan.FromMinutes(3);

    private readonly string name = TestBroker.NewName();
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("eventbus-left-");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Delete(recursive: true);

    [Fact]
    public async Task Subscription_Removed_IsNamedWithTheRetireCallAndKeepsItsEventsUntilThen()
    {
        await using (await StartAsync(null, "a", "b", "c"))
        {
            await UntilStoredAsync(3);
        }

        Age(Later);

        using var log = new LogList();
        await using (var app = await StartAsync(log, "a"))
        {
            await app.Bus.PublishAsync(new TestHappened(1), Cancel);
            await UntilNamedAsync(app, "b", "c");

            var health = await HealthAsync(app);
            Assert.Equal(HealthStatus.Healthy, health.Status);
            Assert.Contains("ISubscriptionManager.RetireAsync(\"b\")", (string)health.Data[$"{name}:b"], StringComparison.Ordinal);
            Assert.Contains(
                "call ISubscriptionManager.RetireAsync(\"b\")",
                Assert.Single(log.Texts, text => text.Contains($"the queue {name}:b of the subscription b", StringComparison.Ordinal)),
                StringComparison.Ordinal);
            Assert.Equal(1u, await WaitingAsync("b"));

            Assert.Contains(
                "events wait",
                (await Assert.ThrowsAsync<EventBusException>(() => app.Services.GetRequiredService<ISubscriptionManager>()
                    .RetireAsync("b", cancellationToken: Cancel))).Message, StringComparison.Ordinal);
            Assert.Contains($"{name}:b", (await HealthAsync(app)).Data);
            await app.Services.GetRequiredService<ISubscriptionManager>().RetireAsync("b", discardWaiting: true, cancellationToken: Cancel);
            Assert.Null(await WaitingAsync("b"));
            await UntilNamedAsync(app, "c");
        }

        // After a restart, a retired queue is not named again. The other one still is.
        Age(Later);
        using var again = new LogList();
        await using var restarted = await StartAsync(again, "a");
        await UntilNamedAsync(restarted, "c");
        Assert.DoesNotContain(again.Texts, text => text.Contains($"{name}:b", StringComparison.Ordinal));
        Assert.Equal(1u, await WaitingAsync("c"));
    }

    [Fact]
    public async Task Subscription_ThatAnotherInstanceStillHas_IsNamedOnlyWhenThatHasStopped()
    {
        await using (await StartAsync(null, "a", "b", "c"))
        {
            await UntilStoredAsync(3);
        }

        Age(Later);

        using var log = new LogList();
        await using (await StartAsync(null, "a", "b"))
        {
            await using var newer = await StartAsync(log, "a");
            await UntilNamedAsync(newer, "c");
            Assert.DoesNotContain(log.Texts, text => text.Contains($"{name}:b", StringComparison.Ordinal));
        }

        Age(Later);
        await using var last = await StartAsync(log, "a");
        await UntilNamedAsync(last, "b", "c");
    }

    [Fact]
    public async Task Service_Renamed_IsNamedWithTheCallThatRemovesItsQueues()
    {
        await using (await StartAsync(null, "a"))
        {
            await UntilStoredAsync(1);
        }

        Age(Later);

        using var log = new LogList();
        await using (var app = await StartServiceAsync(log, $"{name}-new", "a"))
        {
            await UntilNamedAsync(app, "a");
            var health = await HealthAsync(app);
            Assert.Equal(HealthStatus.Healthy, health.Status);
            Assert.Contains(
                $"ISubscriptionManager.RetireAsync(\"a\") in an application whose service name is '{name}', or, if that is gone, delete "
                    + $"the queue with the tools of the broker (rabbitmqctl delete_queue {name}:a)",
                (string)health.Data[$"{name}:a"],
                StringComparison.Ordinal);
            Assert.DoesNotContain(log.Texts, text => text.Contains($"{name}:a", StringComparison.Ordinal));
        }

        // A service may be stopped for days: the log names it after a week.
        Age(TimeSpan.FromDays(8));
        await using var later = await StartServiceAsync(log, $"{name}-new", "a");
        await UntilNamedAsync(later, "a");
        Assert.Single(log.Texts, text => text.Contains($"consumed the queue {name}:a since", StringComparison.Ordinal));
        Assert.Equal(0u, await WaitingAsync("a"));
    }

    /// <summary>
    /// Waits until the store contains a number of subscriptions: an instance stores its own soon after its start.
    /// </summary>
    private Task UntilStoredAsync(long count) => Until.TrueAsync(
        $"the store contains {count} subscriptions",
        () => Execute("SELECT count(*) FROM eventbus_subscriptions") is long noted && noted >= count,
        Cancel);

    /// <summary>
    /// Makes all stored times older. A fake clock that is ahead would not, because the store corrects it.
    /// </summary>
    private void Age(TimeSpan by) => Execute($"UPDATE eventbus_subscriptions SET seen_at = seen_at - {by.Ticks}");

    private object? Execute(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(folder.FullName, "bus.db")}");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }

    private Task<TestBus> StartAsync(LogList? log, params string[] subscriptions) => StartServiceAsync(log, name, subscriptions);

    private Task<TestBus> StartServiceAsync(LogList? log, string service, params string[] subscriptions) =>
        TestBus.StartAsync(service, bus =>
        {
            bus.UseRabbitMq(TestBroker.Uri.AbsoluteUri, options => options.Exchange = name)
                .StoreInSqlite($"Data Source={Path.Combine(folder.FullName, "bus.db")}");
            if (log is not null)
            {
                bus.Services.AddLogging(logging => logging.AddProvider(log));
            }

            foreach (var subscription in subscriptions)
            {
                bus.Subscribe<TestHappened>(subscription, (_, _, _) => Task.CompletedTask);
            }
        });

    private static async Task<HealthReportEntry> HealthAsync(TestBus app) =>
        (await app.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(Cancel)).Entries["eventbus"];

    /// <summary>Waits until the health check names exactly the queues of these subscriptions.</summary>
    private async Task UntilNamedAsync(TestBus app, params string[] subscriptions)
    {
        var expected = subscriptions.Select(subscription => $"{name}:{subscription}").ToList();
        IReadOnlyCollection<string> named = [];
        await Until.TrueAsync(
            () => $"the health check names {string.Join(", ", expected)} instead of {string.Join(", ", named)}",
            5 * TestBroker.Patience,
            async () => (named = [.. (await HealthAsync(app)).Data.Keys.Order(StringComparer.Ordinal)]).SequenceEqual(expected),
            Cancel);
    }

    /// <summary>Returns the number of events in the queue of a subscription; null if there is no queue.</summary>
    private async Task<uint?> WaitingAsync(string subscription)
    {
        await using var connection = await new ConnectionFactory { Uri = TestBroker.Uri }.CreateConnectionAsync(Cancel);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
        try
        {
            return (await channel.QueueDeclarePassiveAsync($"{name}:{subscription}", Cancel)).MessageCount;
        }
        catch (OperationInterruptedException exception) when (exception.ShutdownReason?.ReplyCode == 404)
        {
            return null;
        }
    }
}
