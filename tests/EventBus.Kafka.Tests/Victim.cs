using System.Diagnostics;
using EventBus.Conformance;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EventBus.Kafka.Tests;

/// <summary>
/// An application with a store in a file, which prints what it handles. One of its events ends the process.
/// </summary>
internal static class Victim
{
    public const int Deadly = -1;

    public static async Task<int> RunAsync(string name, KafkaGroupProtocol protocol, string file)
    {
        var options = TestReceiver.Options(name, protocol);
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.AddProvider(Canary.Log);
        builder.Services.AddEventBus(bus => bus
            .UseKafka(options.ConnectionString!, kafka =>
            {
                (kafka.TopicFormat, kafka.Partitions, kafka.FromBeginning) = (options.TopicFormat, options.Partitions, true);
                (kafka.GroupProtocol, kafka.SessionTimeout) = (protocol, TimeSpan.FromSeconds(1));
                kafka.ConfigureClient(TestBroker.SignIn);
            })
            .StoreInSqlite($"Data Source={file}")
            .Configure(bus => (bus.ServiceName, bus.AlertInterval, bus.Lease) =
                (name, TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(5)))
            .AddAlert<PrintedAlert>()
            .Subscribe<CratePacked>("mail", (crate, context, _) => Handle(crate, context)));
        using var host = builder.Build();
        await host.StartAsync();

        // The parent holds the other end of the pipe: if it ends, so does this process.
        await Console.In.ReadToEndAsync();
        await host.StopAsync();
        return 0;
    }

    private static Task Handle(CratePacked crate, EventContext context)
    {
        if (crate.Number == Deadly)
        {
            Console.WriteLine($"starts {context.Attempt}");
            Process.GetCurrentProcess().Kill();
        }

        Console.WriteLine($"handled {crate.Number}");
        return Task.CompletedTask;
    }

    private sealed class PrintedAlert : IDeadLetterNotifier
    {
        public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken)
        {
            Console.WriteLine($"dead {alert.Count} {alert.First.Reason}");
            return Task.CompletedTask;
        }
    }
}
