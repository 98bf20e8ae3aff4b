@echo off
rem run.bat ARGS         set up what is missing, then: python main.py ARGS (no ARGS: the web page)
rem run.bat test ARGS    set up what the tests need, then: pytest ARGS
rem set PYTHON=C:\path\to\python.exe first to run it with a Python of your choice
rem Paths in ARGS, and the folders that the program makes, belong to the folder you are in.
rem No delayed expansion: a URL may hold an exclamation mark. No "call" with ARGS: it may hold a percent sign.
setlocal EnableExtensions DisableDelayedExpansion
set "LAUNCH=%~dp0tools\launch.py"
set "CHECK=import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))"

if defined PYTHON goto chosen

set "VENV_PYTHON=%~dp0.venv\Scripts\python.exe"
if not exist "%VENV_PYTHON%" goto search
"%VENV_PYTHON%" -I -S -c "%CHECK%" >nul 2>nul
if errorlevel 1 goto search
"%VENV_PYTHON%" -I -S "%LAUNCH%" %*
exit /b %ERRORLEVEL%

:search
py -3.13 -I -S -c "%CHECK%" >nul 2>nul
if not errorlevel 1 goto py313
py -3.12 -I -S -c "%CHECK%" >nul 2>nul
if not errorlevel 1 goto py312
py -3.11 -I -S -c "%CHECK%" >nul 2>nul
if not errorlevel 1 goto py311
python -I -S -c "%CHECK%" >nul 2>nul
if not errorlevel 1 goto plain
echo No Python 3.11, 3.12 or 3.13 was found: install one from https://www.python.org/downloads/ or set PYTHON to its path. 1>&2
exit /b 2

:chosen
"%PYTHON%" -I -S -c "%CHECK%" >nul 2>nul
if errorlevel 1 goto wrong
"%PYTHON%" -I -S "%LAUNCH%" %*
exit /b %ERRORLEVEL%

:wrong
echo PYTHON=%PYTHON% is not a Python 3.11, 3.12 or 3.13. 1>&2
exit /b 2

:py313
py -3.13 -I -S "%LAUNCH%" %*
exit /b %ERRORLEVEL%

:py312
py -3.12 -I -S "%LAUNCH%" %*
exit /b %ERRORLEVEL%

:py311
py -3.11 -I -S "%LAUNCH%" %*
exit /b %ERRORLEVEL%

:plain
python -I -S "%LAUNCH%" %*
exit /b %ERRORLEVEL%
