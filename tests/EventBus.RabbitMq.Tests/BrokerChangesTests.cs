using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;

namespace EventBus.RabbitMq.Tests;

/// <summary>
/// Tests permissions, exchanges, queues and bindings that change while the bus runs, and users with few rights.
/// </summary>
[Collection(typeof(PrivateBrokerCollection))]
public sealed partial class BrokerChangesTests(PrivateBroker broker) : IDisposable
{
    private const string Password = "secret";

    private readonly string name = TestBroker.NewName();
    private readonly Seen<int> handled = new();
    private readonly LogList log = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Publish_ExchangeIsDeleted_IsRecreatedAndEveryEventIsAcceptedAndHandled()
    {
        await using var app = await StartAsync(broker.Uri);
        await ChangeAsync(channel => channel.ExchangeDeleteAsync(name, cancellationToken: Cancel));

        await app.Bus.PublishAsync(new TestHappened(0), Cancel);

        Assert.Equal(0, await handled.NextAsync("the event that was published without an exchange"));

        await ChangeAsync(channel => channel.ExchangeDeleteAsync(name, cancellationToken: Cancel));
        await Task.WhenAll(Enumerable.Range(1, 50)
            .Select(number => app.Bus.PublishAsync(new TestHappened(number), new PublishOptions { Key = $"{number % 3}" }, Cancel)));
        var numbers = new HashSet<int>();
        while (numbers.Count < 50)
        {
            numbers.Add(await handled.NextAsync("an event of many"));
        }
    }

    [Fact]
    public async Task Publish_ExchangeIsMissingAndMayNotBeCreated_IsRejectedAndNamed()
    {
        await AddUserAsync("^$", ".*", "^$");
        await using var app = await StartPublisherAsync();

        var failure = await Assert.ThrowsAsync<PublishException>(() => app.Bus.PublishAsync(new TestHappened(1), Cancel));

        Assert.Equal(PublishFailure.Rejected, failure.Failure);
        Assert.Contains($"Create the exchange '{name}'", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("binding")]
    [InlineData("queue")]
    [InlineData("exchange")]
    public async Task Entity_DeletedWhileRunning_IsRecreatedWithoutAPublish(string entity)
    {
        await using var app = await StartAsync(broker.Uri);
        await ChangeAsync(channel => entity switch
        {
            "binding" => channel.QueueUnbindAsync($"{name}:tests", name, "test.happened", cancellationToken: Cancel),
            "queue" => channel.QueueDeleteAsync($"{name}.given-up", ifUnused: false, ifEmpty: false, cancellationToken: Cancel),
            _ => channel.ExchangeDeleteAsync(name, cancellationToken: Cancel),
        });

        await Until.TrueAsync(
            $"the {entity} is created again",
            TimeSpan.FromSeconds(10),
            IsThereAsync,
            Cancel);

        await TestBroker.PublishForeignAsync(name, "test.happened", "{\"number\":1}"u8.ToArray(), uri: broker.Uri);
        Assert.Equal(1, await handled.NextAsync("the event"));

        async Task<bool> IsThereAsync() =>
            (await broker.Node.ControlAsync("--silent", entity == "queue" ? "list_queues" : "list_bindings")).Split('\n')
                .Any(line => entity == "queue"
                    ? line.StartsWith($"{name}.given-up\t", StringComparison.Ordinal)
                    : line.StartsWith($"{name}\t", StringComparison.Ordinal) && line.Contains($"{name}:tests", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Queue_DeletedWithProvisioningOff_IsNamedByTheHealthCheck()
    {
        await using (await StartAsync(broker.Uri))
        {
        }

        await using var app = await StartAsync(broker.Uri, options => options.Provisioning = RabbitMqProvisioning.Validate);
        await ChangeAsync(
            channel => channel.QueueDeleteAsync($"{name}.given-up", ifUnused: false, ifEmpty: false, cancellationToken: Cancel));

        await UntilHealthAsync(app, report => report.Status == HealthStatus.Unhealthy
            && report.Entries.Values.Any(entry => entry.Description!.Contains($"'{name}.given-up' is missing", StringComparison.Ordinal)));
    }

    /// <summary>
    /// The readable one of two queues does not hide the problem of the other, and does not wait for it.
    /// </summary>
    [Fact]
    public async Task BrokerDeadLetters_OneOfTwoQueuesIsRefused_IsNamedMeanwhileAndTheOtherIsRead()
    {
        await using (await StartAsync(broker.Uri))
        {
        }

        await AddUserAsync("^$", "^$", $"^{name}(:.*|\\.dead-letters)$");
        await using var app = await StartAsync(UserUri, options => options.Provisioning = RabbitMqProvisioning.Off);
        await UntilHealthAsync(app, IsNamed);
        for (var number = 1; number <= 3; number++)
        {
            await ChangeAsync(channel => channel.BasicPublishAsync(
                "",
                $"{name}.dead-letters",
                mandatory: true,
                new BasicProperties { MessageId = $"{number}" },
                "{}"u8.ToArray(),
                Cancel).AsTask());
        }

        await Until.TrueAsync(
            "the queue of dead letters is read",
            TimeSpan.FromSeconds(15),
            async () =>
            {
                Assert.True(IsNamed(await app.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(Cancel)));
                return await app.DeadLetters.CountAsync(cancellationToken: Cancel) == 3;
            },
            Cancel);

        static bool IsNamed(HealthReport report) =>
            report.Status == HealthStatus.Degraded
                && report.Entries.Values.Any(entry => entry.Description!.Contains(".given-up' cannot be read", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Channels_LimitIsReached_IsReportedWithTheLimit()
    {
        var factory = new ConnectionFactory { Uri = broker.Uri, RequestedChannelMax = 4 };
        await using var app = await TestBus.StartAsync(name, bus =>
        {
            bus.Services.AddSingleton<IConnectionFactory>(factory);
            bus.Services.AddLogging(logging => logging.AddProvider(log));
            bus.UseRabbitMq(options => options.Exchange = name).StoreInMemory();
            for (var i = 0; i < 5; i++)
            {
                bus.Subscribe<TestHappened>($"tests-{i}", (_, _, _) => Task.CompletedTask);
            }
        });

        await UntilHealthAsync(app, report => report.Status == HealthStatus.Unhealthy
            && report.Entries.Values.Any(entry => entry.Description!.Contains("channel_max is 4", StringComparison.Ordinal)));
        Assert.Contains(log.Texts, text => text.Contains("channel_max is 4", StringComparison.Ordinal));
    }

    public void Dispose() => log.Dispose();

    private Uri UserUri => new UriBuilder(broker.Uri) { UserName = name, Password = Password }.Uri;

    private async Task AddUserAsync(string configure, string write, string read)
    {
        await broker.Node.ControlAsync("add_user", name, Password);
        await broker.Node.ControlAsync("set_permissions", name, configure, write, read);
    }

    private Task<TestBus> StartPublisherAsync(bool store = false) => TestBus.StartAsync(name, bus =>
    {
        bus.Services.AddLogging(logging => logging.AddProvider(log));
        bus.UseRabbitMq(UserUri.AbsoluteUri, options => options.Exchange = name);
        if (store)
        {
            bus.StoreInMemory();
        }

        bus.Publishes<TestHappened>();
    });

    private Task<TestBus> StartAsync(Uri uri, Action<RabbitMqOptions>? configure = null, bool store = true) =>
        TestBus.StartAsync(name, bus =>
        {
            bus.Services.AddLogging(logging => logging.AddProvider(log));
            bus.UseRabbitMq(uri.AbsoluteUri, options =>
            {
                options.Exchange = name;
                configure?.Invoke(options);
            });
            if (store)
            {
                bus.StoreInMemory();
            }

            bus.Subscribe<TestHappened>("tests", (e, _, _) =>
            {
                handled.Add(e.Number);
                return Task.CompletedTask;
            });
        });

    private async Task ChangeAsync(Func<IChannel, Task> change)
    {
        await using var connection = await new ConnectionFactory { Uri = broker.Uri }.CreateConnectionAsync(Cancel);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
        await change(channel);
    }

    private static async Task UntilHealthAsync(TestBus app, Func<HealthReport, bool> condition)
    {
        var health = app.Services.GetRequiredService<HealthCheckService>();
        HealthReport? report = null;
        await Until.TrueAsync(
            () => $"the health is {string.Join(' ', report!.Entries.Values.Select(entry => $"{entry.Status}: {entry.Description}"))}",
            TestBroker.Patience,
            async () => condition(report = await health.CheckHealthAsync(Cancel)),
            Cancel);
    }
}
