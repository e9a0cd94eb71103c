using System.Diagnostics;

namespace EventBus;

/// <summary>
/// The files of Kafka on this machine: the folder that <c>EVENTBUS_KAFKA</c> names, or <c>shared/kafka</c> or
/// <c>kafka</c> next to this repository or to a folder above it.
/// </summary>
internal static class KafkaFiles
{
    /// <summary>The folder with the jars, or null if there is none.</summary>
    private static readonly string? Libraries = Find();

    /// <summary>True if Kafka is on this machine.</summary>
    public static bool IsInstalled => Libraries is not null;

    /// <summary>The version of Kafka, from the name of its jar: kafka_2.13-4.3.0.jar; empty if it is unknown.</summary>
    public static string Version => Libraries is not null
        && Directory.EnumerateFiles(Libraries, "kafka_2*.jar").FirstOrDefault() is { } jar
        && Path.GetFileNameWithoutExtension(jar).Split('-') is [_, var version, ..]
            ? version
            : "";

    /// <summary>Returns the start of a Java program of Kafka, without its own arguments.</summary>
    /// <param name="options">The options of the Java runtime.</param>
    /// <param name="program">The name of its main class.</param>
    /// <param name="arguments">The arguments of the program.</param>
    /// <exception cref="InvalidOperationException">Kafka is not on this machine.</exception>
    public static ProcessStartInfo Prepare(IEnumerable<string> options, string program, IEnumerable<string> arguments) => new(
        "java",
        [
            .. options, "-cp", Path.Combine(Libraries ?? throw new InvalidOperationException(
                "There is no Kafka on this machine. Run ./test Kafka, which downloads it, or name a folder with its jars in libs/ "
                    + "with EVENTBUS_KAFKA."), "*"), program, .. arguments
        ])
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    };

    private static string? Find()
    {
        if (Environment.GetEnvironmentVariable("EVENTBUS_KAFKA") is { Length: > 0 } named)
        {
            return Path.Combine(Path.GetFullPath(named), "libs");
        }

        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            foreach (var name in (string[])["shared", ""])
            {
                var libraries = Path.Combine(folder.FullName, name, "kafka", "libs");
                if (Directory.Exists(libraries) && Directory.EnumerateFiles(libraries, "kafka_2*.jar").Any())
                {
                    return libraries;
                }
            }
        }

        return null;
    }
}
