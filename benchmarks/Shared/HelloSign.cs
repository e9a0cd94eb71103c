using Microsoft.Win32.SafeHandles;

namespace EventBus.Hello;

/// <summary>
/// Writes to the standard output that the first event was handled, and the peak resident memory of the process. Does
/// not use the console class, whose start would take most of the measured time.
/// </summary>
internal static class HelloSign
{
    public const string Word = "handled";

    public static void Give()
    {
        using var output = new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);
        output.Write("handled\n"u8);

        // VmHWM, see proc(5): includes everything before the sign, and reading this file.
        var peak = File.ReadLines("/proc/self/status").First(line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
        output.Write(System.Text.Encoding.ASCII.GetBytes(peak + "\n"));
    }
}
