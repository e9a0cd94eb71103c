using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using Confluent.Kafka;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus.Kafka.Tests;

/// <summary>Tests that a producer that can send nothing more is replaced.</summary>
[NeedsBroker]
public sealed class FatalErrorTests
{
    [UnmanagedFunctionPointer(CallingConvention.Cdecl, CharSet = CharSet.Ansi)]
    private delegate int RaiseError(IntPtr client, int error, string reason);

    private readonly string name = TestBroker.NewName();

    [Fact]
    public async Task Publish_AfterAFatalError_UsesANewProducer()
    {
        using var log = new LogList();
        var options = TestTransport.Options(name);
        var connector = new KafkaConnector(options, registered: null, new LoggerFactory([log]));
        var names = new KafkaTopology(options, TestTransport.Topology(name));
        await using var topics = new KafkaTopics(connector, names);
        await topics.StartAsync(TestContext.Current.CancellationToken);
        await using var publisher = new KafkaPublisher(connector, names, topics);
        publisher.Start();
        Assert.Equal(PublishStatus.Accepted, await PublishAsync(publisher, "1"));

        Fail(publisher);
        await Until.TrueAsync(
            "an event is accepted by a new producer",
            async () => await PublishAsync(publisher, "2") == PublishStatus.Accepted,
            TestContext.Current.CancellationToken);

        Assert.Single(log.Texts, text => text.Contains("the producer cannot go on, and is replaced", StringComparison.Ordinal));
        Assert.Null(publisher.Failure);
        await connector.DisposeAsync();
    }

    private static async Task<PublishStatus> PublishAsync(KafkaPublisher publisher, string id)
    {
        using var deadline = new CancellationTokenSource(TestBroker.Patience);
        var outcomes = new PublishOutcome[1];
        await publisher.PublishAsync(new[] { TestTransport.Event(id, "k") }, outcomes, deadline.Token);
        return outcomes[0].Status;
    }

    /// <summary>Lets the client raise a fatal error, by its function for tests.</summary>
    private static void Fail(KafkaPublisher publisher)
    {
        var sender = Field(publisher, "sender");
        var client = (IClient)Field(Field(sender, "producer"), "producer");
        var handle = Property(client.Handle, "LibrdkafkaHandle");
        Assert.Equal(0, Raise()(((SafeHandle)handle).DangerousGetHandle(), (int)ErrorCode.OutOfOrderSequenceNumber, "test"));
    }

    private static object Field(object owner, string field) =>
        owner.GetType().GetField(field, BindingFlags.NonPublic | BindingFlags.Instance)!.GetValue(owner)!;

    private static object Property(object owner, string property) =>
        owner.GetType().GetProperty(property, BindingFlags.NonPublic | BindingFlags.Public | BindingFlags.Instance)!.GetValue(owner)!;

    // The client loads the one of its native libraries that fits the machine.
    private static RaiseError Raise()
    {
        using var process = Process.GetCurrentProcess();
        var library = process.Modules.Cast<ProcessModule>()
            .Single(module => module.ModuleName.Contains("librdkafka", StringComparison.Ordinal));
        var function = NativeLibrary.GetExport(NativeLibrary.Load(library.FileName), "rd_kafka_test_fatal_error");
        return Marshal.GetDelegateForFunctionPointer<RaiseError>(function);
    }
}
