using System.Text;
using Confluent.Kafka;
using EventBus.Transports;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace EventBus.Kafka.Tests;

/// <summary>Tests that outcomes are true while the broker is away, and that publishing recovers by itself.</summary>
[NeedsBroker, Collection(typeof(PrivateBrokerCollection))]
public sealed class OutageTests(PrivateBroker broker)
{
    private readonly string name = TestBroker.NewName();

    private string Topic => $"{name}-order-events";

    [Fact]
    public async Task Publish_WhileTheBrokerIsAway_FailsAndIsNeverSent()
    {
        await using var transport = await TestTransport.StartAsync(name, TestTransport.Options(name, broker.Node.Address));
        Assert.Equal([PublishOutcome.Accepted], await PublishAsync(transport, "before"));
        await broker.Node.StopAsync();
        await Until.TrueAsync(
            "the transport knows that the broker is away",
            async () => (await PublishAsync(transport, "in between", 0.5))[0].Status == PublishStatus.Failed,
            TestContext.Current.CancellationToken);

        var outcomes = await PublishAsync(transport, "away", 0.5);
        var health = await transport.CheckHealthAsync(TestContext.Current.CancellationToken);
        await broker.Node.StartAsync();

        Assert.Equal(PublishStatus.Failed, outcomes[0].Status);
        Assert.Equal(HealthStatus.Unhealthy, health.Status);
        Assert.Equal([PublishOutcome.Accepted], await PublishAsync(transport, "after", 30));
        var ids = Ids();
        Assert.DoesNotContain("away", ids);
        Assert.Equal("after", ids[^1]);
    }

    [Fact]
    public async Task Publish_BeforeTheBrokerIsBack_WaitsAndIsAccepted()
    {
        await using var transport = await TestTransport.StartAsync(name, TestTransport.Options(name, broker.Node.Address));
        await broker.Node.KillAsync();
        var publishing = Enumerable.Range(0, 20).Select(i => PublishAsync(transport, $"{i}", 60)).ToList();

        await broker.Node.StartAsync();
        var outcomes = await Task.WhenAll(publishing);

        Assert.All(outcomes, outcome => Assert.Equal(PublishOutcome.Accepted, outcome[0]));
        Assert.Equal(Enumerable.Range(0, 20).Select(i => $"{i}"), Ids());
    }

    [Fact]
    public async Task Publish_BrokerKilledInAStorm_HasTrueOutcomes()
    {
        var options = TestTransport.Options(name, broker.Node.Address);
        options.Partitions = 4;
        await using var transport = await TestTransport.StartAsync(name, options);
        var outcomes = new Dictionary<string, PublishStatus>();
        var number = 0;
        for (var kill = 0; kill < 2; kill++)
        {
            var killing = Task.CompletedTask;
            var calls = new List<(string Id, Task<PublishOutcome[]> Call)>();
            for (var i = 0; i < 3_000; i++)
            {
                var id = $"{number++}";
                calls.Add((id, transport.PublishAsync(TimeSpan.FromSeconds(2), TestTransport.Event(id, $"k{i % 7}"))));
                killing = i == 1_500 ? broker.Node.KillAsync() : killing;
                if (i < 1_500 && i % 100 == 0)
                {
                    await calls[^1].Call;
                }
            }

            await killing;
            foreach (var (id, call) in calls)
            {
                outcomes[id] = (await call)[0].Status;
            }

            await broker.Node.StartAsync();
        }

        // What the client has not sent yet is sent before this event.
        for (var i = 0; i < 7; i++)
        {
            var last = await transport.PublishAsync(TestBroker.Patience, TestTransport.Event($"last{i}", $"k{i}"));
            Assert.Equal([PublishOutcome.Accepted], last);
        }

        var written = Ids().ToHashSet(StringComparer.Ordinal);
        Assert.DoesNotContain(outcomes, pair => pair.Value == PublishStatus.Accepted && !written.Contains(pair.Key));
        Assert.DoesNotContain(outcomes, pair => pair.Value == PublishStatus.Failed && written.Contains(pair.Key));
        Assert.Contains(outcomes, pair => pair.Value == PublishStatus.Accepted);
    }

    [Fact]
    public async Task Publish_AfterACutWhileAnOlderConnectionIsSilent_IsAcceptedAtOnce()
    {
        // The client of the calls waits for this long on its connection, which has died without an error.
        var options = TestTransport.Options(name, broker.Node.ProxiedAddress);
        options.CallTimeout = TimeSpan.FromMinutes(1);
        await using var transport = await TestTransport.StartAsync(name, options);
        Assert.Equal([PublishOutcome.Accepted], await PublishAsync(transport, "before", 30));
        Assert.NotEqual(0, broker.Proxy.DropConnectionsThatNeverSent("before"));

        // The only connection of the producer ends, so that the client reports that no broker is left.
        broker.Proxy.ToServer.CutAfter(1);
        Assert.Equal([PublishOutcome.Accepted], await PublishAsync(transport, "cut", 30));

        Assert.Equal([PublishOutcome.Accepted], await PublishAsync(transport, "after", 8));
    }

    [Fact]
    public async Task CallAboutAGroup_BrokerReturnsAfterItsTimeout_DoesNotEndTheProcess()
    {
        var options = TestTransport.Options(name, broker.Node.Address);
        options.CallTimeout = TimeSpan.FromSeconds(1);
        var token = TestContext.Current.CancellationToken;
        await using var connector = new KafkaConnector(options);
        var groups = new KafkaGroups(connector.Admin, new KafkaTopology(options, TestTransport.Topology(name)));
        await Until.TrueAsync("the coordinator answers", async () => await TryCallAsync(groups) is null, token);
        await broker.Node.KillAsync();
        await Until.TrueAsync("a call has no answer", async () => await TryCallAsync(groups) is TimeoutException, token);
        var error = await Assert.ThrowsAsync<TimeoutException>(() => connector.Admin.ReadCommittedAsync(name, token));

        await broker.Node.StartAsync();

        await Until.TrueAsync("the coordinator answers again", async () => await TryCallAsync(groups) is null, token);
        Assert.StartsWith(
            $"Kafka at {broker.Node.Address} did not answer a call about a consumer group", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Dispose_WhileTheBrokerHangs_EndsWithinABoundedTime()
    {
        var transport = await TestTransport.StartAsync(name, TestTransport.Options(name, broker.Node.Address));
        await broker.Node.FreezeAsync();
        try
        {
            var outcomes = await PublishAsync(transport, "1", 0.5);
            Assert.Equal(PublishStatus.InDoubt, outcomes[0].Status);

            var begun = TimeProvider.System.GetTimestamp();
            await transport.DisposeAsync();
            Assert.True(TimeProvider.System.GetElapsedTime(begun) < TimeSpan.FromSeconds(15));
        }
        finally
        {
            await broker.Node.ThawAsync();
        }
    }

    /// <summary>Calls the cluster about a group; null if it answers.</summary>
    private static async Task<Exception?> TryCallAsync(KafkaGroups groups)
    {
        try
        {
            await groups.CountMembersAsync("mail", TestContext.Current.CancellationToken);
            return null;
        }
        catch (Exception exception) when (KafkaErrors.IsCallFailure(exception))
        {
            return exception;
        }
    }

    private static Task<PublishOutcome[]> PublishAsync(Transport transport, string id, double seconds = 10) =>
        transport.PublishAsync(TimeSpan.FromSeconds(seconds), TestTransport.Event(id, "k"));

    /// <summary>Reads the ids of all records in the topic.</summary>
    private List<string> Ids()
    {
        var config = TestBroker.Config<ConsumerConfig>(broker.Node.Address);
        (config.GroupId, config.AutoOffsetReset, config.EnablePartitionEof) = (TestBroker.NewName(), AutoOffsetReset.Earliest, true);
        using var consumer = new ConsumerBuilder<byte[]?, byte[]?>(config).Build();
        consumer.Subscribe(Topic);
        var ids = new List<string>();
        var ended = new HashSet<int>();
        var begun = TimeProvider.System.GetTimestamp();
        var partitions = 0;
        while (partitions == 0 || ended.Count < partitions || ids.Count == 0)
        {
            var result = consumer.Consume(TimeSpan.FromMilliseconds(200));
            partitions = consumer.Assignment.Count;
            if (result is { IsPartitionEOF: true })
            {
                ended.Add(result.Partition.Value);
            }
            else if (result is not null)
            {
                ids.Add(Encoding.UTF8.GetString(result.Message.Headers.GetLastBytes("ce_id")));
            }

            Assert.True(
                TimeProvider.System.GetElapsedTime(begun) < TestBroker.Patience,
                $"the topic is read to its end, not only {ids.Count} records");
        }

        return ids;
    }
}
