using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus.Sqlite.Tests;

/// <summary>
/// Tests relative paths. Runs without other tests, because it changes the current folder of the process.
/// </summary>
[CollectionDefinition(nameof(RelativePathTests), DisableParallelization = true)]
[Collection(nameof(RelativePathTests))]
public sealed class RelativePathTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("Data Source=bus.db", null)]
    [InlineData("Filename=./deeper/../bus.db", null)]
    [InlineData("Data Source=file:bus.db?cache=private", null)]
    [InlineData("Data Source=FILE:./bus.db", null)]
    [InlineData("Data Source=|DataDirectory|bus.db", ".")]
    [InlineData("Data Source=bus.db", "data")]
    public async Task Folder_ChangesAfterTheStart_EverythingStaysInOneFile(string connectionString, string? dataDirectory)
    {
        using var folder = new TestFolder();
        var (first, second) = (Directory.CreateDirectory(folder["first 100% #1"]), Directory.CreateDirectory(folder["second"]));
        first.CreateSubdirectory("deeper");
        first.CreateSubdirectory("data");
        var before = Environment.CurrentDirectory;
        AppDomain.CurrentDomain.SetData("DataDirectory", dataDirectory);
        try
        {
            Environment.CurrentDirectory = first.FullName;
            using var host = Build(connectionString);
            await host.StartAsync(Token);
            Environment.CurrentDirectory = second.FullName;
            var bus = host.Services.GetRequiredService<IEventBus>();
            await bus.PublishAsync(new PathTaken(1), Token);
            await bus.WhenIdleAsync(TestStores.Patience, Token);

            // The first read opens the first reading connection.
            Assert.Single(await host.Services.GetRequiredService<IDeadLetters>().ListAsync(cancellationToken: Token));
            await host.StopAsync(Token);
            Assert.Empty(second.EnumerateFileSystemInfos());
            Assert.Single(first.EnumerateFiles("bus.db", SearchOption.AllDirectories));
        }
        finally
        {
            Environment.CurrentDirectory = before;
            AppDomain.CurrentDomain.SetData("DataDirectory", null);
        }
    }

    [Fact]
    public async Task DataDirectory_NotNamed_IsAStartUpErrorThatNamesTheCall()
    {
        using var host = Build("Data Source=|DataDirectory|bus.db");

        var error = await Assert.ThrowsAsync<EventBusConfigurationException>(() => host.StartAsync(Token));

        Assert.Contains("SetData(\"DataDirectory\"", error.Message, StringComparison.Ordinal);
    }

    private static IHost Build(string connectionString)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddEventBus(bus => bus.UseInMemory().StoreInSqlite(connectionString).Retry(0)
            .Subscribe<PathTaken>("path", (_, _, _) => throw new InvalidOperationException("fails on purpose")));
        return builder.Build();
    }

    private sealed record PathTaken(int Number);
}
