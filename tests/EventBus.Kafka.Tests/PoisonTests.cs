using System.Diagnostics;

namespace EventBus.Kafka.Tests;

/// <summary>
/// Tests an event that ends every process that handles it, with real processes and a store in a file.
/// </summary>
[NeedsBroker]
public sealed class PoisonTests : IDisposable
{
    private const int MostStarts = 8;

    private readonly string name = TestBroker.NewName();
    private readonly string file = Path.Combine(Path.GetTempPath(), $"{TestBroker.NewName()}.db");

    public void Dispose()
    {
        foreach (var left in Directory.GetFiles(Path.GetTempPath(), $"{Path.GetFileName(file)}*"))
        {
            File.Delete(left);
        }
    }

    /// <summary>
    /// With many events before it that are handled at once, one start more is possible: what the first process had
    /// handled was not committed, and the event is far behind the position.
    /// </summary>
    [Theory]
    [InlineData(KafkaGroupProtocol.Classic, 2, 4)]
    [InlineData(KafkaGroupProtocol.Consumer, 2, 4)]
    [InlineData(KafkaGroupProtocol.Classic, 2_000, 5)]
    public async Task Event_ThatEndsItsProcess_IsADeadLetterAfterItsAttempts(KafkaGroupProtocol protocol, int before, int most)
    {
        await PublishAsync([.. Enumerable.Range(0, before), Victim.Deadly, .. Enumerable.Range(before, 5)]);
        var (handled, attempts, dead) = (new HashSet<string>(), new List<string>(), new List<string>());
        for (var start = 0; dead.Count == 0 || handled.Count < before + 5; start++)
        {
            Assert.True(start < MostStarts, $"The event has ended {start} processes; its attempts were {string.Join(", ", attempts)}");
            using var victim = Start(protocol);
            while (await LineAsync(victim) is { } line)
            {
                switch (line.Split(' '))
                {
                    case ["handled", var number]:
                        handled.Add(number);
                        break;
                    case ["starts", var attempt]:
                        attempts.Add(attempt);
                        break;
                    case ["dead", ..]:
                        dead.Add(line);
                        break;
                    default:
                        Assert.Fail($"Unexpected: {line}");
                        break;
                }

                if (dead.Count > 0 && handled.Count == before + 5)
                {
                    victim.Kill();
                }
            }
        }

        Assert.Equal(["dead 1 ProcessEnded"], dead);
        Assert.InRange(attempts.Count, 4, most);
        Assert.Equal(["2", "3", "4"], attempts.TakeLast(3));
    }

    private async Task PublishAsync(int[] numbers)
    {
        await using var transport = await TestTransport.StartAsync(name, TestReceiver.Options(name));
        var outcomes = await transport.PublishAsync(
            TestBroker.Patience, [.. numbers.Select(number => TestTransport.Json($"{number}", $$"""{"Number":{{number}}}"""))]);
        Assert.All(outcomes, outcome => Assert.Equal(EventBus.Transports.PublishOutcome.Accepted, outcome));
    }

    private Process Start(KafkaGroupProtocol protocol) => Process.Start(
        new ProcessStartInfo("dotnet", [typeof(PoisonTests).Assembly.Location, "victim", name, $"{protocol}", file])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;

    private static async Task<string?> LineAsync(Process victim) => await victim.StandardOutput
        .ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(2 * TestBroker.Patience);
}
